//! What the service is to do, from all that say it: the command line, the environment, a file, and what is usual.
//!
//! The file's settings become what flags are by default, so that clap reads, checks and explains all of them alike.

mod file;
mod show;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser as _};

use super::misuse::Misuse;
use super::{Cli, Command, Failure, serve, variables};
use file::File;
pub(super) use show::{Flags, run as show};

/// What was asked for, and where it was said.
pub(super) struct Asked {
    pub(super) cli: Cli,
    pub(super) matches: ArgMatches,
    pub(super) source: Source,
}

/// Where settings come from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    words: Vec<OsString>,
    /// Flags that the command line or the environment says, whatever is in the file.
    overruled: BTreeSet<String>,
    /// Empty for commands that need none, and where there is none.
    file: File,
}

/// Reads the command line; does not return if it is wrong, or asks for help.
pub(super) fn asked(words: Vec<OsString>) -> Result<Asked, Failure> {
    let cli = Cli::parse_from(&words);
    let Some(flags) = flags(&cli) else {
        let (matches, file) = (ArgMatches::default(), File::default());
        let source = Source {
            words,
            overruled: BTreeSet::new(),
            file,
        };
        return Ok(Asked {
            cli,
            matches,
            source,
        });
    };
    let file = read(&cli, flags)?;
    let matches = file.apply(Cli::command()).get_matches_from(&words);
    let again = Cli::from_arg_matches(&matches);
    let source = Source {
        words,
        overruled: overruled(&matches),
        file,
    };
    Ok(Asked {
        cli: again.map_err(anyhow::Error::from)?,
        matches,
        source,
    })
}

/// The service's flags that are said by more than the file.
fn overruled(matches: &ArgMatches) -> BTreeSet<String> {
    let said = matches.subcommand().map_or(matches, |(_, said)| said);
    let command = Cli::command();
    let serve = command.find_subcommand("serve").into_iter();
    let flags = serve.flat_map(clap::Command::get_arguments);
    let flags = flags.filter_map(|arg| {
        let name = arg.get_long()?;
        // Not all commands have all of them.
        said.try_get_raw(arg.get_id().as_str()).ok()??;
        let source = said.value_source(arg.get_id().as_str())?;
        let by_file = source == ValueSource::DefaultValue;
        (!by_file).then(|| name.to_owned())
    });
    flags.collect()
}

/// Of the service, for commands that have them.
fn flags(cli: &Cli) -> Option<&serve::Flags> {
    match &cli.command {
        None => Some(&cli.serve),
        Some(Command::Serve(flags)) => Some(flags),
        Some(Command::Run(flags)) => Some(&flags.serve),
        Some(Command::Config(flags)) => Some(flags.serve()),
        Some(_) => None,
    }
}

fn read(cli: &Cli, flags: &serve::Flags) -> Result<File, Failure> {
    if let Some(path) = &flags.config {
        return File::read(path, &cli.global.instance);
    }
    match usual() {
        // One that leads nowhere is there, too, and is an error rather than nothing.
        Some(path) if is_there(&path) => File::read(&path, &cli.global.instance),
        _ => Ok(File::default()),
    }
}

fn is_there(path: &Path) -> bool {
    let nothing = [ErrorKind::NotFound, ErrorKind::NotADirectory];
    path.symlink_metadata()
        .map_or_else(|error| !nothing.contains(&error.kind()), |_| true)
}

/// Where the file is if nobody says.
fn usual() -> Option<PathBuf> {
    let variables = variables();
    let folder = |name: &str| {
        let folder = variables.get(name).filter(|value| !value.is_empty());
        folder.map(PathBuf::from)
    };
    let folder = match folder("XDG_CONFIG_HOME") {
        Some(folder) => folder,
        None if cfg!(windows) => folder("APPDATA")?,
        None => folder("HOME")?.join(".config"),
    };
    Some(folder.join("dockline").join("config.toml"))
}

impl Source {
    /// Says where a value that will not do is, if that is in the file.
    pub(super) fn placed<T>(&self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        outcome.map_err(|failure| match failure {
            Failure::Usage(error) => {
                let misuse = error.downcast_ref::<Misuse>();
                let place = misuse.and_then(|misuse| {
                    let name = misuse.flag.trim_start_matches('-');
                    let in_file = !self.overruled.contains(name);
                    let value = misuse.value.as_deref();
                    in_file.then(|| self.file.place_of_value(name, value))?
                });
                Failure::Usage(match place {
                    Some(place) => error.context(place),
                    None => error,
                })
            }
            other => other,
        })
    }

    /// Reads everything again, and says what is no longer in the file as it was in the beginning.
    pub(super) fn again(&self) -> Result<(serve::Flags, Vec<String>), Failure> {
        let wrong = |error: clap::Error| Failure::Usage(anyhow::anyhow!("{error}"));
        let cli = Cli::try_parse_from(&self.words).map_err(wrong)?;
        let file = match flags(&cli) {
            Some(flags) => read(&cli, flags)?,
            None => File::default(),
        };
        let command = file.apply(Cli::command());
        let matches = command.try_get_matches_from(&self.words).map_err(wrong)?;
        let cli = Cli::from_arg_matches(&matches).map_err(wrong)?;
        let flags = flags(&cli).cloned();
        let flags = flags.ok_or_else(|| anyhow::anyhow!("no service was asked for"))?;
        Ok((flags, self.file.differing(&file)))
    }
}
