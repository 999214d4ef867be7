//! What the demo's reader sees: headings, explanations, commands after `$`, and what they answered.

use std::cell::Cell;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::console::say;
use crate::shell::{MINUTES_2, Shell, typed};

/// Tells the demo's story while it runs.
#[derive(Debug)]
pub(super) struct Narrator {
    shell: Shell,
    chapter: Cell<usize>,
}

impl Narrator {
    pub(super) fn new(shell: Shell) -> Self {
        Self {
            shell,
            chapter: Cell::new(0),
        }
    }

    /// Goes on after Ctrl-C, for the last chapter.
    pub(super) fn for_cleanup(&self) -> Self {
        Self {
            shell: Shell::for_cleanup(),
            chapter: self.chapter.clone(),
        }
    }

    pub(super) fn shell(&self) -> &Shell {
        &self.shell
    }

    pub(super) fn heading(&self, title: &str) {
        self.chapter.set(self.chapter.get() + 1);
        say(format_args!("\n== {}. {title} ==\n", self.chapter.get()));
    }

    /// Runs a command, shows it as one would type it, and below it what it answered.
    pub(super) fn run(&self, command: &mut Command) -> Result<String> {
        let line = typed(command);
        self.run_as(&line, command)
    }

    /// The same, shown as `line`.
    pub(super) fn run_as(&self, line: &str, command: &mut Command) -> Result<String> {
        say(format_args!("  $ {line}"));
        let output = self.shell.output(command, MINUTES_2)?;
        for line in output.lines() {
            say(format_args!("    {line}"));
        }
        Ok(output)
    }

    /// Runs a command whose answer must hold certain words.
    pub(super) fn run_expecting(&self, command: &mut Command, words: &[&str]) -> Result<()> {
        let line = typed(command);
        self.run_as_expecting(&line, command, words)
    }

    /// The same, shown as `line`.
    pub(super) fn run_as_expecting(
        &self,
        line: &str,
        command: &mut Command,
        words: &[&str],
    ) -> Result<()> {
        let output = self.run_as(line, command)?;
        for word in words {
            ensure!(
                output.contains(word),
                "`{line}` should have answered {word:?}, but said {:?}",
                output.trim()
            );
        }
        Ok(())
    }
}
