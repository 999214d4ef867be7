//! The servers that connections go through, each started anew.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::SECRET;
use crate::process::{Server, free_port, is_installed, program};
use crate::report::progress;

/// The tunnel's program, as it runs in its container.
pub(super) fn tunnel(path: &Path) -> Result<(Server, SocketAddr)> {
    let address = free_port()?;
    let mut command = Command::new(path);
    command
        .env("DOCKLINE_HOME", "127.0.0.1")
        .env("DOCKLINE_NAME", "dockline-tunnel-bench")
        .env("DOCKLINE_ENTRY_PORT", free_port()?.port().to_string())
        .env("DOCKLINE_SECRET", SECRET)
        .env("DOCKLINE_SOCKS_PORT", address.port().to_string());
    let mut server = Server::start(&mut command, None)?;
    server.await_tcp(address)?;
    Ok((server, address))
}

/// One thread, splicing: what a tuned relay gets here.
pub(super) fn haproxy(
    folder: &Path,
    sink: SocketAddr,
    web: SocketAddr,
) -> Result<Option<(Server, SocketAddr, SocketAddr)>> {
    if !is_installed("haproxy") {
        progress("  haproxy is not installed and left out");
        return Ok(None);
    }
    let (to_sink, to_web) = (free_port()?, free_port()?);
    let text = format!(
        "global\n maxconn 6000\n nbthread 1\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n \
         option splice-auto\nlisten sink\n bind {to_sink}\n server s {sink}\nlisten web\n bind {to_web}\n server s {web}\n"
    );
    let path = folder.join("haproxy.cfg");
    fs::write(&path, text)?;
    let mut server = Server::start(program("haproxy").arg("-db").arg("-f").arg(path), None)?;
    server.await_tcp(to_sink)?;
    Ok(Some((server, to_sink, to_web)))
}

/// As Debian has it.
pub(super) fn microsocks() -> Result<Option<(Server, SocketAddr)>> {
    if !is_installed("microsocks") {
        progress("  microsocks is not installed and left out");
        return Ok(None);
    }
    let address = free_port()?;
    let port = address.port().to_string();
    let mut command = program("microsocks");
    command.args(["-i", "127.0.0.1", "-p", &port]);
    let mut server = Server::start(&mut command, None)?;
    server.await_tcp(address)?;
    Ok(Some((server, address)))
}
