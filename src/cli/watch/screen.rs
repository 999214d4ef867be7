//! The terminal, given back at any end.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use ratatui::DefaultTerminal;

use super::state::State;
use super::view;
use crate::cli::{Failure, output, variables};

/// Refuses where there is no terminal that can be written to anywhere.
pub(super) fn refuse_if_plain() -> Result<(), Failure> {
    let variables = variables();
    let term = variables.get("TERM").map(String::as_str);
    let dumb = matches!(term, Some("" | "dumb")) || (cfg!(unix) && term.is_none());
    if io::stdout().is_terminal() && io::stdin().is_terminal() && !dumb {
        return Ok(());
    }
    Err(Failure::Usage(anyhow::anyhow!(
        "--watch needs a terminal; `dockline status` says it once, and /v1/events of the control API tells programs"
    )))
}

/// The whole terminal, taken.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    coloured: bool,
}

impl Screen {
    pub(super) fn take() -> Result<Self, Failure> {
        // From here on a panic gives it back, too.
        let taken = ratatui::try_init();
        let terminal = taken.map_err(|error| {
            let _ = ratatui::try_restore();
            anyhow::Error::new(error).context("take the terminal")
        })?;
        Ok(Self {
            terminal,
            coloured: output::may_colour(),
        })
    }

    pub(super) fn show(&mut self, state: &mut State, now: Duration) -> Result<(), Failure> {
        let coloured = self.coloured;
        let shown = self.terminal.draw(|frame| {
            state.fit(frame.area());
            view::draw(frame, state, now, coloured);
        });
        shown.map_err(|error| anyhow::Error::new(error).context("write to the terminal"))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // If it is gone there is nothing to give back.
        let _ = ratatui::try_restore();
    }
}
