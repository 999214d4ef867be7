//! `dockline config show`

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, Subcommand};
use serde::Serialize;

use super::Source;
use crate::cli::{Cli, Failure, output, serve};

/// Commands of `config`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Show what `serve` would run with, in the form of the file
    Show(Box<Show>),
}

#[derive(Clone, Debug, Args)]
struct Show {
    /// Say where each comes from
    #[arg(long)]
    origin: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    serve: serve::Flags,
}

impl Flags {
    pub(super) fn serve(&self) -> &serve::Flags {
        let Command::Show(show) = &self.command;
        &show.serve
    }
}

/// A setting, for people and programs.
#[derive(Debug, Serialize)]
struct Setting {
    key: String,
    /// Nothing if it is not set, or not to be shown.
    value: Option<toml::Value>,
    /// `flag`, `environment`, `file` or `default`.
    origin: &'static str,
    /// The variable, or the place in the file.
    place: Option<String>,
    #[serde(skip)]
    is_secret: bool,
}

pub(in crate::cli) fn run(
    flags: &Flags,
    matches: &ArgMatches,
    source: &Source,
) -> Result<(), Failure> {
    let Command::Show(show) = &flags.command;
    let settings = settings(matches, source);
    if show.json {
        return output::json(&settings);
    }
    for setting in &settings {
        output::data(&line(setting, show.origin));
    }
    Ok(())
}

fn settings(matches: &ArgMatches, source: &Source) -> Vec<Setting> {
    let shown = matches.subcommand_matches("config");
    let Some(said) = shown.and_then(|config| config.subcommand_matches("show")) else {
        return Vec::new();
    };
    let command = Cli::command();
    let serve = command.find_subcommand("serve").into_iter();
    let mut settings: Vec<_> = serve
        .flat_map(clap::Command::get_arguments)
        .filter_map(|arg| {
            let key = arg.get_long().filter(|key| *key != "config")?;
            let id = arg.get_id().as_str();
            let in_file = source.file.place(key);
            let (origin, place) = match said.value_source(id) {
                Some(ValueSource::CommandLine) => ("flag", None),
                Some(ValueSource::EnvVariable) => {
                    let name = arg
                        .get_env()
                        .map(|name| name.to_string_lossy().into_owned());
                    ("environment", name)
                }
                _ if in_file.is_some() => ("file", in_file),
                _ => ("default", None),
            };
            let raw = said.get_raw(id).into_iter().flatten();
            let raw: Vec<_> = raw
                .map(|value| value.to_string_lossy().into_owned())
                .collect();
            let is_secret = arg.is_hide_env_values_set() && !raw.is_empty();
            let value = match arg.get_action() {
                clap::ArgAction::SetTrue => Some(said.get_flag(id).into()),
                clap::ArgAction::Append if raw.is_empty() => None,
                clap::ArgAction::Append => Some(raw.into()),
                _ => raw.into_iter().next().map(toml::Value::String),
            };
            Some(Setting {
                key: key.to_owned(),
                value: value.filter(|_| !is_secret),
                origin,
                place,
                is_secret,
            })
        })
        .collect();
    settings.sort_by(|a, b| a.key.cmp(&b.key));
    settings
}

/// As it would stand in the file; what is not set, and what nobody should see, is a comment.
fn line(setting: &Setting, with_origin: bool) -> String {
    let Setting { key, value, .. } = setting;
    let line = match value {
        Some(value) => format!("{key} = {value}"),
        None if setting.is_secret => format!("# {key} is set, and not shown"),
        None => format!("# {key} is not set"),
    };
    if !with_origin {
        return line;
    }
    match &setting.place {
        Some(place) => format!("{line:<48} # {}: {place}", setting.origin),
        None => format!("{line:<48} # {}", setting.origin),
    }
}
