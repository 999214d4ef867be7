//! What can be said of a service on the command line, and by the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::core::host_pattern::HostPattern;
use crate::dns::ForwardPolicy;

/// Flags of `serve`.
#[derive(Clone, Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, of which none has to do with another"
)]
pub(in crate::cli) struct Flags {
    /// A file with settings [default: dockline/config.toml in `$XDG_CONFIG_HOME`, else in ~/.config]
    #[arg(long, env = "DOCKLINE_CONFIG", value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// Where DNS listens [default: 127.0.0.1:5390; any port for other instances]
    #[arg(long, env = "DOCKLINE_DNS", value_name = "ADDR")]
    pub(super) dns: Option<SocketAddr>,
    /// Where the gateway listens, SOCKS5 and HTTP [default: 127.0.0.1:1090; any port for other instances]
    #[arg(long, env = "DOCKLINE_GATEWAY", value_name = "ADDR")]
    pub(super) gateway: Option<SocketAddr>,
    /// Where the control API listens, read-only [default: 127.0.0.1:8791; any port for other instances]
    #[arg(long, env = "DOCKLINE_HTTP", value_name = "ADDR")]
    pub(super) http: Option<SocketAddr>,
    /// Where the Docker API for intercepted clients listens [default: docker.sock in the instance's folder]
    #[arg(long, env = "DOCKLINE_API_SOCKET", value_name = "PATH")]
    pub(super) api_socket: Option<PathBuf>,
    /// Let it listen on this loopback port as well
    #[arg(long, env = "DOCKLINE_API_TCP", value_name = "ADDR")]
    pub(super) api_tcp: Option<SocketAddr>,
    /// The interceptor's CA certificate, PEM, for containers to trust; NAME: that of `--interceptor NAME=…`
    #[arg(
        long,
        env = "DOCKLINE_CA",
        value_name = "[NAME=]FILE",
        value_delimiter = ','
    )]
    pub(super) ca: Vec<String>,
    /// What becomes of containers that were created elsewhere and are started in an intercepted shell
    #[arg(
        long,
        env = "DOCKLINE_FOREIGN",
        value_enum,
        default_value = "refuse",
        value_name = "WHAT"
    )]
    pub(super) foreign: Foreign,
    /// Intercept what containers ask of their own loopback, too
    #[arg(long, env = "DOCKLINE_INTERCEPT_LOOPBACK")]
    pub(super) intercept_loopback: bool,
    /// Leave the steps of builds alone
    #[arg(long, env = "DOCKLINE_NO_BUILD_INTERCEPTION")]
    pub(super) no_build_interception: bool,
    /// Who answers for names that are no container's: `system`, `none`, or addresses separated by commas
    #[arg(
        long,
        env = "DOCKLINE_DNS_FORWARD",
        default_value = "system",
        value_name = "WHO"
    )]
    pub(super) dns_forward: ForwardPolicy,
    /// Use this image for the tunnel, instead of the built-in one
    #[arg(long, env = "DOCKLINE_TUNNEL_IMAGE", value_name = "REF")]
    pub(super) tunnel_image: Option<String>,
    /// Watch containers with this label too
    #[arg(
        long = "match",
        env = "DOCKLINE_MATCH",
        value_name = "LABEL[=VALUE]",
        value_delimiter = ','
    )]
    pub(super) matches: Vec<String>,
    /// Watch every container
    #[arg(long, env = "DOCKLINE_ALL")]
    pub(super) all: bool,
    /// Let nobody use the gateway who does not know this
    #[arg(
        long,
        env = "DOCKLINE_GATEWAY_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    pub(super) gateway_password: Option<String>,
    /// Who gets what containers send by the tunnel's entry: an HTTP proxy, `builtin`, or `none`; NAME: of this compose project,
    /// or of containers with the label `dockline.interceptor=NAME`, alone [default: builtin]
    #[arg(
        long,
        env = "DOCKLINE_INTERCEPTOR",
        value_name = "[NAME=]HOST:PORT",
        value_delimiter = ','
    )]
    pub(super) interceptor: Vec<String>,
    /// Tell the interceptor who calls, in the way that mockttp and HTTP Toolkit understand
    #[arg(
        long,
        env = "DOCKLINE_TELL_WHO",
        value_enum,
        default_value = "nobody",
        value_name = "WHOM"
    )]
    pub(super) tell_who: TellWho,
    /// Write what the built-in interceptor sees to this file, as HAR
    #[arg(long, env = "DOCKLINE_HAR", value_name = "FILE")]
    pub(super) har: Option<PathBuf>,
    /// Never let the interceptor hear of this host: `HOST`, `.DOMAIN`, `ADDRESS`, `RANGE/BITS`, with `:PORT` if need be
    #[arg(
        long,
        env = "DOCKLINE_PASS_THROUGH",
        value_name = "HOST",
        value_delimiter = ','
    )]
    pub(super) pass_through: Vec<HostPattern>,
    /// Let containers that are on internal networks alone get out by the tunnel's entry
    #[arg(long, env = "DOCKLINE_INTERNAL_EGRESS")]
    pub(super) internal_egress: bool,
    /// Proxy for what goes out [default: from the environment, as curl reads it]
    #[arg(
        long,
        env = "DOCKLINE_UPSTREAM_PROXY",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(super) upstream_proxy: Option<String>,
    /// What becomes of the containers that are intercepted when the service ends
    #[arg(
        long,
        env = "DOCKLINE_ON_EXIT",
        value_enum,
        default_value = "keep",
        value_name = "WHAT"
    )]
    pub(in crate::cli) on_exit: OnExit,
    /// How logs are written, to stderr
    #[arg(
        long,
        env = "DOCKLINE_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub(super) log_format: LogFormat,
    /// What is logged: a level for dockline itself, or directives as in `RUST_LOG`
    #[arg(
        long,
        env = "DOCKLINE_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub(super) log: String,
}

impl Flags {
    /// What is logged.
    pub(super) fn log(&self) -> &str {
        &self.log
    }
}

/// What becomes of containers that were created elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Foreign {
    /// They are not started: they would not be intercepted.
    Refuse,
    /// They are started as they are.
    Allow,
}

/// What becomes of intercepted containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OnExit {
    /// They stay, and the tunnel with them: what they send goes on as it came.
    Keep,
    /// They are made anew, as they were.
    Detach,
    /// Those that were created through the API proxy are removed, attached ones made anew as they were.
    Remove,
}

/// Whom it is told who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TellWho {
    /// Interceptors ask, if they want to know.
    Nobody,
    /// mockttp and HTTP Toolkit, by tags.
    Mockttp,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}
