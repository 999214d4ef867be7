//! The tunnel in words.

use crate::control::report::shape::{FormerTunnel, Tunnel};

/// How it is, and where; its home, where it always is, is left out.
pub(super) fn state(tunnel: &Tunnel) -> String {
    let home = tunnel.home.as_deref();
    let elsewhere = tunnel
        .networks
        .iter()
        .filter(|n| Some(n.name.as_str()) != home);
    let names: Vec<_> = elsewhere.map(|n| n.name.as_str()).collect();
    match names.as_slice() {
        [] => tunnel.state.clone(),
        names => format!("{} · on {}", tunnel.state, names.join(", ")),
    }
}

/// One that has a successor, and why it is still there.
pub(super) fn former(former: &FormerTunnel) -> String {
    let FormerTunnel {
        name, containers, ..
    } = former;
    if containers.is_empty() {
        return format!("{name}, of another version, ends with its last caller");
    }
    format!(
        "{name}, of another version, stays for those that know its address and are not intercepted: `dockline attach {}`",
        containers.join(" ")
    )
}
