//! Writing to people and programs. A reader that went away (`| head`) is no error.

use std::io::{self, Write};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::Failure;

/// Writes data.
pub(super) fn data(text: &str) {
    // Nobody is left to be told of a failure.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Writes anything else.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a value as JSON, on one line as `docker` does, so that it can be piped line by line.
pub(super) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    data(&serde_json::to_string(value).map_err(anyhow::Error::from)?);
    Ok(())
}

/// Says what failed, and turns it into the exit code.
pub(super) fn failed(failure: &Failure) -> ExitCode {
    note(&format!("dockline: {}", chain(failure)));
    ExitCode::from(failure.code())
}

/// What failed, and why.
pub(super) fn chain(failure: &Failure) -> String {
    match failure {
        Failure::NoEngine(error) | Failure::Usage(error) | Failure::Other(error) => {
            format!("{error:#}")
        }
        Failure::NotRunning(error) => error.to_string(),
        Failure::Interrupted => failure.to_string(),
    }
}

/// A time of day in UTC, of seconds since 1970. This machine's own zone is not known without its database.
pub(super) fn time(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    let at = jiff::Timestamp::from_second(seconds as i64).unwrap_or_default();
    at.strftime("%H:%M:%SZ").to_string()
}

/// A plain table: aligned columns, no lines, fit for a terminal and for `awk`.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Whether what goes to stderr may be coloured.
pub(super) fn is_coloured() -> bool {
    may_colour() && io::IsTerminal::is_terminal(&io::stderr())
}

/// Whether a terminal may be coloured.
#[expect(
    clippy::disallowed_methods,
    reason = "NO_COLOR is no flag of ours (no-color.org)"
)]
pub(super) fn may_colour() -> bool {
    !std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
}
