//! `dockline serve`

mod flags;
mod interception;
mod logging;
mod reload;
mod supervision;

use std::net::SocketAddr;
use std::sync::Arc;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;

pub(super) use flags::{Flags, OnExit};
pub(super) use interception::{Stdout, certificates};
pub(super) use logging::start_logging;

use super::misuse::{misuse, misused};
use super::settings::Source;
use super::{Failure, Global, clean};
use crate::config::{Config, Interception};
use crate::control::Addresses;
use crate::core::id::Instance;
use crate::core::label::{Match, Selector};
use crate::docker::watcher::Pace;
use crate::gateway::{Introduction, Password, Upstream};
use crate::service::Service;
use crate::signal;
use crate::tunnel::Leftover;
use crate::warnings::Warnings;
use flags::{Foreign, TellWho};

/// Ports of the default instance; promised in the documentation.
pub(super) const DNS_PORT: u16 = 5390;
pub(super) const GATEWAY_PORT: u16 = 1090;
pub(super) const HTTP_PORT: u16 = 8791;
const INTERCEPTOR_PORT: u16 = 8792;

fn listen_on(given: Option<SocketAddr>, instance: &Instance, port: u16) -> SocketAddr {
    let port = if instance.is_default() { port } else { 0 };
    given.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)))
}

pub(super) async fn run(global: &Global, flags: Flags, source: &Source) -> Result<(), Failure> {
    let log = start_logging(&flags)?;
    #[cfg(unix)]
    raise_file_limit();
    let on_exit = flags.on_exit;
    let config = config(global, flags, Stdout::Ours, Arc::clone(&log.warnings))?;
    let engine = config.endpoint.to_string();
    let watching = config.selector.describe();
    let asked = config.interceptions();
    let asked = asked.map(|(interception, _)| Interception::clone(interception));
    let service = Service::bind(config).await?;
    let built_in = service.addresses().interceptor;
    let mut found = vec![("engine", engine)];
    found.push(("interceptor", describe(&asked.rest, built_in).await));
    for (name, interception) in &asked.named {
        let interceptor = describe(interception, built_in).await;
        found.push(("", format!("{name}: {interceptor}")));
    }
    log.tell(&banner(
        &global.instance,
        &found,
        &watching,
        service.addresses(),
    ));
    let stop = CancellationToken::new();
    let leftover = tokio::select! {
        outcome = service.run(stop.clone()) => outcome?,
        () = announce(&stop, &log) => return Ok(()),
        () = reload::on_hangup(source, &log, &stop) => return Ok(()),
        () = supervision::tell(&stop) => return Ok(()),
        // The second signal, or no way to hear any: what stays is for `clean`.
        ended = signal::watch(stop.clone()) => {
            ended.map_err(anyhow::Error::from)?;
            return Err(Failure::Interrupted);
        }
    };
    part(global, on_exit, leftover, |text| log.tell(text)).await
}

/// Does what is to be done at the end about containers that stay.
pub(super) async fn part(
    global: &Global,
    on_exit: OnExit,
    leftover: Option<Leftover>,
    tell: impl Fn(&str),
) -> Result<(), Failure> {
    let Some(Leftover { tunnel, injected }) = leftover else {
        return Ok(());
    };
    if on_exit != OnExit::Keep {
        // They have the tunnel until they are others.
        return clean::after(global, on_exit == OnExit::Remove).await;
    }
    tell(&format!(
        "the tunnel {} stays for {injected} intercepted container(s); `dockline clean` removes it",
        tunnel.short()
    ));
    Ok(())
}

/// Says that the end is on its way, and then leaves it to take its time.
async fn announce(stop: &CancellationToken, log: &logging::Log) {
    stop.cancelled().await;
    log.tell(
        "stopping: connections end, the tunnel leaves its networks (once more to stop at once)",
    );
    std::future::pending::<()>().await;
}

pub(super) fn config(
    global: &Global,
    flags: Flags,
    stdout: Stdout,
    warnings: Arc<Warnings>,
) -> Result<Config, Failure> {
    let instance = &global.instance;
    refuse_strangers(&flags)?;
    let places = Global::places().candidates(instance);
    let address = listen_on(None, instance, INTERCEPTOR_PORT);
    let asked = interception::asked(&flags, address, stdout)?;
    Ok(Config {
        endpoint: global.endpoint()?,
        pace: Pace::default(),
        dns: listen_on(flags.dns, instance, DNS_PORT),
        gateway: listen_on(flags.gateway, instance, GATEWAY_PORT),
        http: listen_on(flags.http, instance, HTTP_PORT),
        dns_forward: flags.dns_forward,
        gateway_password: flags.gateway_password.as_deref().map(Password::new),
        upstream: upstream(flags.upstream_proxy.as_deref())?,
        api_socket: flags.api_socket,
        api_tcp: flags.api_tcp,
        ca: asked.ca,
        ca_file: asked.ca_file,
        foreign_allowed: flags.foreign == Foreign::Allow,
        intercept_loopback: flags.intercept_loopback,
        intercept_builds: !flags.no_build_interception,
        interception: asked.rest,
        named: asked.named,
        pass_through: flags.pass_through,
        internal_egress: flags.internal_egress,
        introduction: match flags.tell_who {
            TellWho::Nobody => Introduction::None,
            TellWho::Mockttp => Introduction::Tags,
        },
        tunnel_image: flags.tunnel_image,
        warnings,
        runtime_dir: places.into_iter().next().unwrap_or_default(),
        selector: Selector {
            instance: instance.clone(),
            matches: matches(&flags.matches)?,
            all: flags.all,
        },
    })
}

/// A label without a name would match nothing, silently.
fn matches(texts: &[String]) -> Result<Vec<Match>, Failure> {
    let matches: Vec<_> = texts
        .iter()
        .map(|text| Match::from(text.as_str()))
        .collect();
    match matches.iter().find(|m| m.key.is_empty()) {
        None => Ok(matches),
        Some(m) => {
            let value = m.value.as_ref();
            let text = value.map_or_else(String::new, |value| format!("={value}"));
            let reason = "--match takes LABEL or LABEL=VALUE";
            Err(misused("--match", &text, reason))
        }
    }
}

/// What listens beyond loopback would be everybody's, and a password keeps others from what leads into networks. Names alone
/// tell them little, so whoever has one for the gateway may give them away.
fn refuse_strangers(flags: &Flags) -> Result<(), Failure> {
    let guarded = flags
        .gateway_password
        .as_ref()
        .is_some_and(|p| !p.is_empty());
    let listeners = [
        ("--dns", flags.dns, true),
        ("--gateway", flags.gateway, true),
        ("--http", flags.http, false),
        ("--api-tcp", flags.api_tcp, false),
    ];
    for (flag, address, may) in listeners {
        if let Some(address) = address.filter(|address| !address.ip().is_loopback())
            && !(may && guarded)
        {
            let remedy = if may {
                ", or give a --gateway-password as well"
            } else {
                ""
            };
            let reason = format!(
                "{flag} {address} could be reached from other machines; use 127.0.0.1{remedy}"
            );
            return Err(misuse(flag, reason));
        }
    }
    Ok(())
}

/// Each connection through the gateway takes two files, and the usual limit is 1,024.
#[cfg(unix)]
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "limit on open files not raised");
    }
}

fn upstream(url: Option<&str>) -> Result<Upstream, Failure> {
    let upstream = match url {
        Some(url) => Upstream::from_url(url),
        None => Upstream::from_environment(),
    };
    upstream.map_err(|error| {
        let error = anyhow::Error::new(error).context("--upstream-proxy");
        match url {
            Some(_) => misuse("--upstream-proxy", format!("{error:#}")),
            None => Failure::Usage(error),
        }
    })
}

/// Where the interceptor is, the built-in one at `address`. Another may well be started after us.
async fn describe(interception: &Interception, address: Option<SocketAddr>) -> String {
    let interceptor = match (interception, address) {
        (Interception::External(interceptor), _) => interceptor,
        (Interception::BuiltIn(_), Some(address)) => {
            return format!(
                "{address}   built in; requests are listed here, `dockline ca` is whom containers trust"
            );
        }
        (Interception::BuiltIn(_) | Interception::None, _) => {
            return "none   what containers send goes on as it came".to_owned();
        }
    };
    let address = interceptor.address();
    if interceptor.answers().await {
        return format!("{address}   gets what containers send");
    }
    format!(
        "{address}   does not answer yet; what containers send goes on without it until it does"
    )
}

/// What somebody who just started it wants to know.
fn banner(
    instance: &Instance,
    found: &[(&str, String)],
    watching: &str,
    addresses: &Addresses,
) -> String {
    let Addresses {
        dns, gateway, http, ..
    } = addresses;
    let option = if instance.is_default() {
        String::new()
    } else {
        format!(" --instance {instance}")
    };
    let rows = [
        (
            "gateway",
            format!(
                "{gateway}   upstream proxy for your interceptor: socks5h://{gateway} or http://{gateway}"
            ),
        ),
        ("dns", format!("{dns}   container names, over UDP and TCP")),
        (
            "control",
            format!("http://{http}   /v1/status /healthz /readyz"),
        ),
        ("watching", watching.to_owned()),
        ("try", format!("dockline{option} status")),
    ];
    let rows = found.iter().chain(&rows);
    let lines: Vec<_> = rows
        .map(|(name, value)| format!("  {name:<13}{value}"))
        .collect();
    format!(
        "dockline {} · instance {instance}\n{}",
        env!("CARGO_PKG_VERSION"),
        lines.join("\n")
    )
}
