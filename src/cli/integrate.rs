//! `dockline integrate`

mod check;
mod recipes;

use clap::{Args, ValueEnum};

use super::{Failure, Global, output};
use crate::control::client;
use crate::control::report::shape::Status;
use recipes::Facts;

/// Flags of `integrate`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// Which one
    #[arg(
        value_enum,
        value_name = "INTERCEPTOR",
        required_unless_present = "check"
    )]
    interceptor: Option<Program>,
    /// Send a request all the way round, from a container to a container, and say where it broke
    #[arg(long)]
    check: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Programs that there is something exact to say of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
    Mitmproxy,
    #[value(alias = "mockttp")]
    Httptoolkit,
    Burp,
    Zap,
    Caido,
    Charles,
    Proxyman,
    Fiddler,
    /// Anything with an upstream proxy
    Generic,
}

/// Ports of the default instance, as long as nothing runs that could be asked.
const GATEWAY: &str = "127.0.0.1:1090";
const HTTP: &str = "127.0.0.1:8791";

/// How some interceptor is told to use the gateway.
struct Upstream(Program);

impl Upstream {
    fn of(&self, gateway: &str, http: &str, protected: bool) -> String {
        let facts = Facts {
            gateway: gateway.to_owned(),
            http: http.to_owned(),
            protected,
        };
        facts.upstream(self.0)
    }
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let program = flags.interceptor.unwrap_or(Program::Generic);
    if flags.check {
        return check::run(global, &Upstream(program), flags.json).await;
    }
    let status = client::get::<Status>(&global.control_socket(), "/v1/status", &[]).await;
    let facts = match status {
        Ok(status) => Facts {
            gateway: status.gateway,
            http: status.http,
            protected: status.gateway_protected,
        },
        Err(client::Error::NotRunning(_)) => {
            output::note(
                "dockline is not running: these are the ports of its default instance; start it and ask again for the real ones",
            );
            Facts {
                gateway: GATEWAY.to_owned(),
                http: HTTP.to_owned(),
                protected: false,
            }
        }
        Err(error) => return Err(error.into()),
    };
    let text = facts.recipe(program);
    if flags.json {
        return output::json(&serde_json::json!({
            "gateway": facts.gateway,
            "http": facts.http,
            "password": facts.protected,
            "settings": text,
        }));
    }
    output::data(&text);
    Ok(())
}
