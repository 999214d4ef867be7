//! The file: TOML, whose keys are the long names of the service's flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory as _};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::{Cli, Failure};
use crate::core::id::Instance;

/// Flags that say where the file is, or ask for something else.
const NOT_OURS: [&str; 3] = ["config", "help", "version"];
/// Tables for single instances, by name.
const INSTANCE: &str = "instance";

/// What is in it, by key; nothing if there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    path: PathBuf,
    settings: BTreeMap<String, Setting>,
}

#[derive(Clone, Debug)]
struct Setting {
    values: Vec<String>,
    line: usize,
    /// Of each value: line and column.
    places: Vec<(usize, usize)>,
}

/// A part of the text, and where it is.
struct Text<'t> {
    path: &'t Path,
    text: &'t str,
}

impl Text<'_> {
    /// Counted from one, as editors do.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }

    fn wrong(&self, at: usize, why: &str) -> Failure {
        let (line, column) = self.place(at);
        Failure::Usage(anyhow::anyhow!(
            "{}:{line}:{column}: {why}",
            self.path.display()
        ))
    }
}

impl File {
    /// Those for `instance` win over those for all.
    pub(super) fn read(path: &Path, instance: &Instance) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::Usage(anyhow::anyhow!("--config {}: {error}", path.display()))
        })?;
        Self::parse(path, &text, instance)
    }

    fn parse(path: &Path, text: &str, instance: &Instance) -> Result<Self, Failure> {
        let place = Text { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            place.wrong(at, error.message())
        })?;
        let serve = Cli::command();
        let known: BTreeMap<_, _> = serve
            .find_subcommand("serve")
            .into_iter()
            .flat_map(Command::get_arguments)
            .filter_map(|arg| Some((arg.get_long()?, arg)))
            .filter(|(name, _)| !NOT_OURS.contains(name))
            .collect();
        let mut settings = BTreeMap::new();
        let mut own = BTreeMap::new();
        for (key, value) in table.get_ref() {
            if key.get_ref() == INSTANCE {
                own = instances(&place, value, &known, instance)?;
                continue;
            }
            let (name, setting) = setting(&place, key, value, &known)?;
            settings.insert(name, setting);
        }
        settings.append(&mut own);
        Ok(Self {
            path: path.to_owned(),
            settings,
        })
    }

    /// Makes its settings what flags are by default.
    pub(super) fn apply(&self, command: Command) -> Command {
        let with = |arg: Arg| {
            let name = arg.get_long().map(str::to_owned);
            match name.and_then(|name| self.settings.get(&name)) {
                Some(setting) => arg.default_values(setting.values.clone()),
                None => arg,
            }
        };
        let is_ours = |command: &Command| {
            let mut all = command.get_arguments();
            all.any(|arg| arg.get_long() == Some("gateway"))
        };
        let mut command = command;
        let names: Vec<_> = command
            .get_subcommands()
            .map(|sub| sub.get_name().to_owned())
            .collect();
        for name in names {
            command = command.mut_subcommand(name, |sub| match sub.get_name() {
                "config" => sub.mut_subcommand("show", |show| show.mut_args(&with)),
                _ if is_ours(&sub) => sub.mut_args(&with),
                _ => sub,
            });
        }
        command.mut_args(&with)
    }

    /// Where a flag's value is.
    pub(super) fn place(&self, name: &str) -> Option<String> {
        let setting = self.settings.get(name)?;
        Some(format!("{}:{}", self.path.display(), setting.line))
    }

    /// Where the value of a flag is, or that one of several.
    pub(super) fn place_of_value(&self, name: &str, value: Option<&str>) -> Option<String> {
        let setting = self.settings.get(name)?;
        // It may be a part of what was said: `NAME=VALUE`.
        let found = |value: &str| setting.values.iter().position(|v| v.ends_with(value));
        let which = value.and_then(found).unwrap_or_default();
        let (line, column) = setting.places.get(which)?;
        Some(format!("{}:{line}:{column}", self.path.display()))
    }

    /// The keys that another one has another value for.
    pub(super) fn differing(&self, other: &Self) -> Vec<String> {
        let names = self.settings.keys().chain(other.settings.keys());
        let value = |file: &Self, name: &String| {
            let setting = file.settings.get(name);
            setting.map(|setting| setting.values.clone())
        };
        let mut changed: Vec<_> = names
            .filter(|name| value(self, name) != value(other, name))
            .cloned()
            .collect();
        changed.sort();
        changed.dedup();
        changed
    }
}

type Known<'k> = BTreeMap<&'k str, &'k Arg>;
type Key<'t> = Spanned<std::borrow::Cow<'t, str>>;
type Value<'t> = Spanned<DeValue<'t>>;

/// All are checked, those of others as well.
fn instances(
    place: &Text<'_>,
    value: &Value<'_>,
    known: &Known<'_>,
    instance: &Instance,
) -> Result<BTreeMap<String, Setting>, Failure> {
    let DeValue::Table(tables) = value.get_ref() else {
        return Err(place.wrong(value.span().start, "takes tables: [instance.NAME]"));
    };
    let mut own = BTreeMap::new();
    for (name, table) in tables {
        let at = name.span().start;
        let parsed = name.get_ref().parse::<Instance>();
        let parsed = parsed.map_err(|error| place.wrong(at, &error.to_string()))?;
        let DeValue::Table(settings) = table.get_ref() else {
            return Err(place.wrong(at, "takes a table: [instance.NAME]"));
        };
        for (key, value) in settings {
            let (name, setting) = setting(place, key, value, known)?;
            if parsed == *instance {
                own.insert(name, setting);
            }
        }
    }
    Ok(own)
}

fn setting(
    place: &Text<'_>,
    key: &Key<'_>,
    value: &Value<'_>,
    known: &Known<'_>,
) -> Result<(String, Setting), Failure> {
    let name = key.get_ref().as_ref();
    let at = key.span().start;
    let Some(arg) = known.get(name) else {
        let why = format!(
            "unknown key {name:?}; keys are the long names of the flags of `dockline serve`"
        );
        return Err(place.wrong(at, &why));
    };
    let of = value.span().start;
    let values = match (arg.get_action(), value.get_ref()) {
        (ArgAction::SetTrue, DeValue::Boolean(is)) => vec![is.to_string()],
        (ArgAction::SetTrue, _) => return Err(place.wrong(of, "takes true or false")),
        (ArgAction::Append, DeValue::Array(values)) => {
            let values = values.iter().map(|value| single(place, value));
            values.collect::<Result<Vec<_>, _>>()?
        }
        _ => vec![single(place, value)?],
    };
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        for value in &values {
            check(arg, name, value).map_err(|why| place.wrong(of, &why))?;
        }
    }
    let (line, _) = place.place(at);
    let places = match value.get_ref() {
        DeValue::Array(all) => all.iter().map(|v| place.place(v.span().start)).collect(),
        _ => vec![place.place(of)],
    };
    let setting = Setting {
        values,
        line,
        places,
    };
    Ok((name.to_owned(), setting))
}

fn single(place: &Text<'_>, value: &Value<'_>) -> Result<String, Failure> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) => Ok(number.to_string()),
        _ => Err(place.wrong(
            value.span().start,
            "takes text in quotes, or a list of such",
        )),
    }
}

/// Lets clap look at it, as if it had been on the command line.
fn check(arg: &Arg, name: &str, value: &str) -> Result<(), String> {
    let command = Command::new("config").no_binary_name(true).arg(arg.clone());
    let words = [format!("--{name}={value}")];
    let Err(error) = command.try_get_matches_from(words) else {
        return Ok(());
    };
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    Err(first.trim_start_matches("error: ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<File, String> {
        let instance = "shop".parse::<Instance>();
        let instance = instance.map_err(|error| error.to_string())?;
        let parsed = File::parse(Path::new("c.toml"), text, &instance);
        parsed.map_err(|failure| crate::cli::output::chain(&failure))
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let check = |text: &str, expected: &str| {
            let error = parsed(text).unwrap_err();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        };
        check("gateway = ", "c.toml:1:");
        check("\n gatway = \"x\"", "c.toml:2:2: unknown key \"gatway\"");
        check("config = \"x\"", "c.toml:1:1: unknown key");
        check("host = \"unix:///x\"", "c.toml:1:1: unknown key");
        check(
            "all = true\ngateway = \"here\"",
            "c.toml:2:11: invalid value 'here' for '--gateway <ADDR>'",
        );
        check("all = \"yes\"", "c.toml:1:7: takes true or false");
        check("dns = [\"127.0.0.1:0\"]", "c.toml:1:7: takes text");
        check("match = [true]", "c.toml:1:10: takes text");
        check("foreign = \"maybe\"", "c.toml:1:11: invalid value 'maybe'");
        check("[instance.UP]\nall = true", "c.toml:1:11: ");
        // A mistake in another instance's table is one, too.
        check(
            "[instance.blog]\nal = true",
            "c.toml:2:1: unknown key \"al\"",
        );
        check("all = true\nall = false", "c.toml:2:1: ");
    }

    #[test]
    fn command_line_environment_file_and_defaults_in_this_order() {
        let file = parsed(
            "gateway = \"127.0.0.1:7\"\ndns = \"127.0.0.1:5\"\nall = true\nmatch = [\"a=1\", \"b\"]\nforeign = \"allow\"\n\
             [instance.shop]\ndns = \"127.0.0.1:6\"\n[instance.blog]\nhttp = \"127.0.0.1:1\"\n",
        );
        let file = file.unwrap();
        let words = ["dockline", "serve", "--gateway", "127.0.0.1:9"];
        let matches = file.apply(Cli::command()).get_matches_from(words);
        let (_, serve) = matches.subcommand().unwrap();
        let said = |name: &str| {
            let values = serve.get_raw(name).into_iter().flatten();
            let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
            values.join("|")
        };
        assert_eq!(said("gateway"), "127.0.0.1:9");
        assert_eq!(said("dns"), "127.0.0.1:6", "that of the instance");
        assert_eq!(said("matches"), "a=1|b");
        assert_eq!(said("foreign"), "allow");
        assert_eq!(said("on_exit"), "keep");
        assert_eq!(said("http"), "", "another instance's");
        assert!(serve.get_flag("all"));
        assert_eq!(file.place("dns").unwrap(), "c.toml:7");

        let other = parsed("gateway = \"127.0.0.1:7\"\nall = true\nlog = \"debug\"").unwrap();
        assert_eq!(file.differing(&other), ["dns", "foreign", "log", "match"]);
        assert!(file.differing(&file).is_empty());
    }
}
