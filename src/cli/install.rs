//! What packages and shells install beside the program, made of the command line itself.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Failure, output};

/// Flags of `completions`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Completions {
    /// For which shell
    shell: Shell,
}

/// Flags of `man`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Man {
    /// Where the pages are written; made if it is not there
    folder: PathBuf,
}

/// Prints completions.
pub(super) fn completions(flags: &Completions) {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut Cli::command(), "dockline", &mut script);
    output::data(String::from_utf8_lossy(&script).trim_end());
}

/// Writes a manual page for each command.
pub(super) fn man(flags: &Man) -> Result<(), Failure> {
    let folder = &flags.folder;
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.map_err(|error| {
        Failure::Other(anyhow::Error::new(error).context(format!("write {}", folder.display())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Man {
            folder: folder.path().join("man1"),
        };
        man(&flags).unwrap();
        for command in Cli::command()
            .get_subcommands()
            .filter(|c| !c.is_hide_set())
        {
            let name = format!("dockline-{}.1", command.get_name());
            let page = std::fs::read_to_string(flags.folder.join(&name)).unwrap();
            assert!(page.contains(".SH OPTIONS"), "{name}");
        }
    }
}
