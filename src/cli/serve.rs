//! `dockline serve`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD as STANDARD, Engine as _};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{Failure, Global, output};
use crate::config::Config;
use crate::control::Addresses;
use crate::core::id::Instance;
use crate::core::label::{Match, Selector};
use crate::dns::ForwardPolicy;
use crate::docker::watcher::Pace;
use crate::gateway::{Interceptor, Password, Upstream};
use crate::service::Service;
use crate::signal;

/// Flags of `serve`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// Where DNS listens [default: 127.0.0.1:5390; any port for other instances]
    #[arg(long, env = "DOCKLINE_DNS", value_name = "ADDR")]
    dns: Option<SocketAddr>,
    /// Where the gateway listens, SOCKS5 and HTTP [default: 127.0.0.1:1090; any port for other instances]
    #[arg(long, env = "DOCKLINE_GATEWAY", value_name = "ADDR")]
    gateway: Option<SocketAddr>,
    /// Where the control API listens, read-only [default: 127.0.0.1:8791; any port for other instances]
    #[arg(long, env = "DOCKLINE_HTTP", value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Where the Docker API for intercepted clients listens [default: docker.sock in the instance's folder]
    #[arg(long, env = "DOCKLINE_API_SOCKET", value_name = "PATH")]
    api_socket: Option<PathBuf>,
    /// Let it listen on this loopback port as well
    #[arg(long, env = "DOCKLINE_API_TCP", value_name = "ADDR")]
    api_tcp: Option<SocketAddr>,
    /// The interceptor's CA certificate, PEM, for containers to trust
    #[arg(long, env = "DOCKLINE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// What becomes of containers that were created elsewhere and are started in an intercepted shell
    #[arg(
        long,
        env = "DOCKLINE_FOREIGN",
        value_enum,
        default_value = "refuse",
        value_name = "WHAT"
    )]
    foreign: Foreign,
    /// Intercept what containers ask of their own loopback, too
    #[arg(long, env = "DOCKLINE_INTERCEPT_LOOPBACK")]
    intercept_loopback: bool,
    /// Who answers for names that are no container's: `system`, `none`, or addresses separated by commas
    #[arg(
        long,
        env = "DOCKLINE_DNS_FORWARD",
        default_value = "system",
        value_name = "WHO"
    )]
    dns_forward: ForwardPolicy,
    /// Use this image for the tunnel, instead of the built-in one
    #[arg(long, env = "DOCKLINE_TUNNEL_IMAGE", value_name = "REF")]
    tunnel_image: Option<String>,
    /// Watch containers with this label too
    #[arg(
        long = "match",
        env = "DOCKLINE_MATCH",
        value_name = "LABEL[=VALUE]",
        value_delimiter = ','
    )]
    matches: Vec<String>,
    /// Watch every container
    #[arg(long, env = "DOCKLINE_ALL")]
    all: bool,
    /// Let nobody use the gateway who does not know this
    #[arg(
        long,
        env = "DOCKLINE_GATEWAY_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    gateway_password: Option<String>,
    /// The interceptor, an HTTP proxy, that gets what containers send by the tunnel's entry
    #[arg(long, env = "DOCKLINE_INTERCEPTOR", value_name = "HOST:PORT")]
    interceptor: Option<String>,
    /// Let containers that are on internal networks alone get out by the tunnel's entry
    #[arg(long, env = "DOCKLINE_INTERNAL_EGRESS")]
    internal_egress: bool,
    /// Proxy for what goes out [default: from the environment, as curl reads it]
    #[arg(
        long,
        env = "DOCKLINE_UPSTREAM_PROXY",
        hide_env_values = true,
        value_name = "URL"
    )]
    upstream_proxy: Option<String>,
    /// How logs are written, to stderr
    #[arg(
        long,
        env = "DOCKLINE_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    log_format: LogFormat,
    /// What is logged: a level for dockline itself, or directives as in `RUST_LOG`
    #[arg(
        long,
        env = "DOCKLINE_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    log: String,
}

/// What becomes of containers that were created elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Foreign {
    /// They are not started: they would not be intercepted.
    Refuse,
    /// They are started as they are.
    Allow,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Ports of the default instance; promised in the documentation.
const DNS_PORT: u16 = 5390;
const GATEWAY_PORT: u16 = 1090;
const HTTP_PORT: u16 = 8791;

fn listen_on(given: Option<SocketAddr>, instance: &Instance, port: u16) -> SocketAddr {
    let port = if instance.is_default() { port } else { 0 };
    given.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)))
}

pub(super) async fn run(global: &Global, flags: Flags) -> Result<(), Failure> {
    start_logging(&flags)?;
    raise_file_limit();
    let config = config(global, flags)?;
    let engine = config.endpoint.to_string();
    let watching = config.selector.describe();
    let service = Service::bind(config).await?;
    output::note(&banner(
        &global.instance,
        &engine,
        &watching,
        service.addresses(),
    ));
    let stop = CancellationToken::new();
    let leftover = tokio::select! {
        outcome = service.run(stop.clone()) => outcome?,
        () = announce(&stop) => return Ok(()),
        // The second signal, or no way to hear any: what stays is for `clean`.
        ended = signal::watch(stop.clone()) => {
            ended.map_err(anyhow::Error::from)?;
            return Err(Failure::Interrupted);
        }
    };
    if let Some(leftover) = leftover {
        let containers = leftover.injected;
        output::note(&format!(
            "the tunnel {} stays for {containers} intercepted container(s); `dockline clean` removes it",
            leftover.tunnel.short()
        ));
    }
    Ok(())
}

/// Says that the end is on its way, and then leaves it to take its time.
async fn announce(stop: &CancellationToken) {
    stop.cancelled().await;
    output::note(
        "stopping: connections end, the tunnel leaves its networks (once more to stop at once)",
    );
    std::future::pending::<()>().await;
}

pub(super) fn config(global: &Global, flags: Flags) -> Result<Config, Failure> {
    let instance = &global.instance;
    refuse_strangers(&flags)?;
    let places = Global::places().candidates(instance);
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
        ca: flags.ca.as_deref().map(certificates).transpose()?,
        foreign_allowed: flags.foreign == Foreign::Allow,
        intercept_loopback: flags.intercept_loopback,
        interceptor: interceptor(flags.interceptor.as_deref())?,
        internal_egress: flags.internal_egress,
        tunnel_image: flags.tunnel_image,
        runtime_dir: places.into_iter().next().unwrap_or_default(),
        selector: Selector {
            instance: instance.clone(),
            matches: matches(&flags.matches)?,
            all: flags.all,
        },
    })
}

/// The certificates of a file, and nothing else of it: a private key must never enter a container.
fn certificates(path: &Path) -> Result<Bytes, Failure> {
    let usage = |reason: String| {
        let path = path.display();
        Failure::Usage(anyhow::anyhow!("--ca {path}: {reason}"))
    };
    let text = std::fs::read(path).map_err(|error| usage(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| usage(error.to_string()))?;
    if found.is_empty() {
        return Err(usage(
            "it holds no certificate in PEM (BEGIN CERTIFICATE)".to_owned(),
        ));
    }
    let pem = found.iter().map(|certificate| {
        let text = STANDARD.encode(certificate);
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    });
    Ok(pem.collect::<String>().into())
}

/// A label without a name would match nothing, silently.
fn matches(texts: &[String]) -> Result<Vec<Match>, Failure> {
    let matches: Vec<_> = texts
        .iter()
        .map(|text| Match::from(text.as_str()))
        .collect();
    match matches.iter().find(|m| m.key.is_empty()) {
        None => Ok(matches),
        Some(_) => Err(Failure::Usage(anyhow::anyhow!(
            "--match takes LABEL or LABEL=VALUE"
        ))),
    }
}

/// What listens beyond loopback would be everybody's.
fn refuse_strangers(flags: &Flags) -> Result<(), Failure> {
    let listeners = [
        ("--dns", flags.dns),
        ("--gateway", flags.gateway),
        ("--http", flags.http),
        ("--api-tcp", flags.api_tcp),
    ];
    for (flag, address) in listeners {
        if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
            let error =
                format!("{flag} {address} could be reached from other machines; use 127.0.0.1");
            return Err(Failure::Usage(anyhow::anyhow!(error)));
        }
    }
    Ok(())
}

/// Each connection through the gateway takes two files, and the usual limit is 1,024.
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
    upstream.map_err(|error| Failure::Usage(anyhow::Error::new(error).context("--upstream-proxy")))
}

fn interceptor(text: Option<&str>) -> Result<Option<Interceptor>, Failure> {
    let interceptor = text.map(Interceptor::at).transpose();
    interceptor.map_err(|error| Failure::Usage(anyhow::Error::new(error).context("--interceptor")))
}

pub(super) fn start_logging(flags: &Flags) -> Result<(), Failure> {
    // A bare level is for our own words: the libraries' tell names, and what containers have in their environment.
    let level = flags.log.parse::<tracing::Level>();
    let own = level.map(|level| format!("warn,dockline={level}"));
    let filter = EnvFilter::try_new(own.as_ref().unwrap_or(&flags.log))
        .map_err(|error| Failure::Usage(anyhow::anyhow!("--log {:?}: {error}", flags.log)))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match flags.log_format {
        LogFormat::Text => lines.with_ansi(output::is_coloured()).init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}

/// What somebody who just started it wants to know.
fn banner(instance: &Instance, engine: &str, watching: &str, addresses: &Addresses) -> String {
    let Addresses {
        dns, gateway, http, ..
    } = addresses;
    let option = if instance.is_default() {
        String::new()
    } else {
        format!(" --instance {instance}")
    };
    let rows = [
        ("engine", engine.to_owned()),
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
    let lines = rows.map(|(name, value)| format!("  {name:<9}{value}"));
    format!(
        "dockline {} · instance {instance}\n{}",
        env!("CARGO_PKG_VERSION"),
        lines.join("\n")
    )
}
