//! The log: what is written of it, and what is kept.

use std::sync::Arc;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

use super::flags::{Flags, LogFormat};
use crate::cli::misuse::misuse;
use crate::cli::{Failure, output};
use crate::warnings::{Keeper, Warnings};

/// Starts the log; what it warns of is kept as well, whatever of it is written.
pub(in crate::cli) fn start_logging(flags: &Flags) -> Result<Log, Failure> {
    let (filter, handle) = reload::Layer::new(filter(&flags.log)?);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false);
    let is_json = matches!(flags.log_format, LogFormat::Json);
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
    Ok(Log {
        warnings,
        is_json,
        filter: handle,
    })
}

/// The running log.
#[derive(Debug)]
pub(in crate::cli) struct Log {
    /// What it warned of lately.
    pub(in crate::cli) warnings: Arc<Warnings>,
    is_json: bool,
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Log {
    /// Says what people who started it want to know; programs that read the log find nothing else in it than lines of theirs.
    pub(super) fn tell(&self, text: &str) {
        if self.is_json {
            tracing::info!("{text}");
        } else {
            output::note(text);
        }
    }

    /// From now on, this is written of it.
    pub(super) fn refilter(&self, text: &str) -> Result<(), Failure> {
        let set = self.filter.reload(filter(text)?);
        Ok(set.map_err(anyhow::Error::from)?)
    }
}

fn filter(text: &str) -> Result<EnvFilter, Failure> {
    // A bare level is for our own words: the libraries' tell names, and what containers have in their environment.
    let level = text.parse::<tracing::Level>();
    let own = level.map(|level| format!("warn,dockline={level}"));
    EnvFilter::try_new(own.as_deref().unwrap_or(text))
        .map_err(|error| misuse("--log", format!("--log {text:?}: {error}")))
}
