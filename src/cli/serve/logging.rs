//! The log: what is written of it, and what is kept.

use std::sync::Arc;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::flags::{Flags, LogFormat};
use crate::cli::{Failure, output};
use crate::warnings::{Keeper, Warnings};

/// Starts the log; what it warns of is kept as well, whatever of it is written.
pub(in crate::cli) fn start_logging(flags: &Flags) -> Result<Arc<Warnings>, Failure> {
    // A bare level is for our own words: the libraries' tell names, and what containers have in their environment.
    let level = flags.log.parse::<tracing::Level>();
    let own = level.map(|level| format!("warn,dockline={level}"));
    let filter = EnvFilter::try_new(own.as_ref().unwrap_or(&flags.log))
        .map_err(|error| Failure::Usage(anyhow::anyhow!("--log {:?}: {error}", flags.log)))?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false);
    let lines = match flags.log_format {
        LogFormat::Text => lines.with_ansi(output::is_coloured()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let warnings = Arc::<Warnings>::default();
    let keeper = Keeper(Arc::clone(&warnings));
    let of_ours = Targets::new().with_target("dockline", LevelFilter::WARN);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(keeper.with_filter(of_ours))
        .init();
    Ok(warnings)
}
