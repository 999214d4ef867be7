//! Dockerfiles that clients send in a context: the RUN steps of their stages become intercepted ones.
//!
//! The classic builder makes a container of each step by itself, and takes nothing from a client but the Dockerfile and its
//! context. So what a step needs is said in the Dockerfile, after the `FROM` of every stage that has RUN steps:
//!
//! ```text
//! COPY --from=dockline/build:8f3a… / /.dockline/      the files, of an image made for it: nothing is added to the context
//! ARG http_proxy="http://dockline-tunnel-…:8790" …    the variables: as ARG, since the image would keep those of ENV
//! LABEL dockline.build="default"                      what was built so is found again
//! ```
//!
//! BuildKit takes the variables in the same way, and the files by a mount that each RUN gets
//! (`RUN --mount=type=bind,from=dockline/build:8f3a…,target=/.dockline …`), of which nothing stays.
//!
//! All else stays as it is, byte for byte; a stage without RUN steps is left alone, and the image of one knows nothing.

mod buildkit;
mod expansion;
mod instructions;
pub mod output;
pub mod query;
mod stages;
#[cfg(test)]
mod tests;
mod traced;

pub use buildkit::Builder;
pub use expansion::PROXIES;
pub use output::{Output, Steps};

use super::id::Instance;
use super::inject::FOLDER;
use super::label;
use expansion::{expands, refers};
use instructions::{File, Instruction, read};
use stages::{Stage, stages};
use traced::Traced;

/// Why a Dockerfile is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its Dockerfile is not understood: {0}")]
pub struct Unclear(pub &'static str);

/// Where the files by which steps trust are copied from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An image of nothing else.
    Image(String),
    /// A folder of the context.
    Folder(String),
}

/// What each stage with RUN steps gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageInjection {
    /// Whose builds these are.
    pub instance: Instance,
    /// What builds.
    pub builder: Builder,
    /// The frontend, if the Dockerfile does not name it.
    pub syntax: Option<String>,
    /// What its steps are to trust, if there is an authority.
    pub files: Option<Source>,
    /// The variables, as `NAME=value`.
    pub variables: Vec<String>,
    /// The stage that is asked for, if it is not the last one.
    pub target: Option<String>,
}

/// A Dockerfile as the engine gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injected {
    /// Its text.
    pub text: String,
    /// Which steps and lines of it are ours.
    pub steps: Steps,
}

/// A Dockerfile whose RUN steps are intercepted; nothing if it has none.
pub fn inject(dockerfile: &[u8], injection: &StageInjection) -> Result<Option<Injected>, Unclear> {
    let text = str::from_utf8(dockerfile).map_err(|_| Unclear("it is no text in UTF-8"))?;
    let file = read(text)?;
    if file.instructions.iter().any(keeps_a_proxy) {
        return Err(Unclear(
            "an instruction other than RUN makes use of a proxy's variable",
        ));
    }
    let stages = stages(&file.instructions, injection.target.as_deref())?;
    let mut writer = Writer::new(text, injection, &file)?;
    let mut stages = stages.iter();
    let mut stage = None;
    for (number, instruction) in file.instructions.iter().enumerate() {
        if instruction.keyword == "FROM" {
            stage = stages.find(|stage| stage.start == instruction.start);
        }
        let Some(stage) = stage.filter(|stage: &&Stage| stage.has_steps) else {
            writer.own(instruction);
            continue;
        };
        if instruction.keyword == "RUN" {
            writer.mount(instruction);
        }
        writer.own(instruction);
        if instruction.keyword == "FROM" {
            writer.begin(stage);
        } else if instruction.keyword == "ARG" && is_followed_by_a_step(&file, number) {
            // The user's own takes ours away.
            writer.again(&declared(&instruction.rest));
        }
    }
    Ok(writer.finish())
}

/// Whether the image may come to keep what a proxy's variable says.
fn keeps_a_proxy(instruction: &Instruction) -> bool {
    let mut proxies = PROXIES.iter();
    expands(instruction.keyword) && proxies.any(|name| refers(&instruction.rest, name))
}

/// Whether a RUN of the same stage comes later. Ours is never the last step: what follows that is for the client.
fn is_followed_by_a_step(file: &File, number: usize) -> bool {
    let rest = file.instructions.get(number + 1..).unwrap_or_default();
    let mut stage = rest.iter().take_while(|i| i.keyword != "FROM");
    stage.any(|instruction| instruction.keyword == "RUN")
}

struct Writer<'a> {
    text: &'a str,
    injection: &'a StageInjection,
    variables: Vec<&'a String>,
    /// What each step begins with.
    mount: String,
    written: String,
    steps: Steps,
    /// How much of the text, how many steps and how many lines are written.
    at: usize,
    step: usize,
    lines: usize,
}

impl<'a> Writer<'a> {
    fn new(text: &'a str, injection: &'a StageInjection, file: &File) -> Result<Self, Unclear> {
        let mut mount = String::new();
        if injection.builder == Builder::BuildKit {
            buildkit::mounts(injection.syntax.as_deref().or(file.syntax.as_deref()))?;
            let files = injection.files.as_ref();
            mount = files.map(buildkit::mount).unwrap_or_default();
        }
        Ok(Self {
            text,
            injection,
            variables: kept_apart(&file.instructions, &injection.variables),
            mount,
            written: String::with_capacity(text.len() + 8192),
            steps: Steps::default(),
            at: 0,
            step: 0,
            lines: 0,
        })
    }

    /// The user's own instruction, with all that stands before it.
    fn own(&mut self, own: &Instruction) {
        self.upto(own.end);
        self.step += 1;
        self.lines = own.lines;
    }

    fn upto(&mut self, end: usize) {
        self.written
            .push_str(self.text.get(self.at..end).unwrap_or_default());
        self.at = end;
    }

    /// What a step is to see, if it can ask for anything.
    fn mount(&mut self, run: &Instruction) {
        if self.mount.is_empty() || buildkit::is_offline(run) {
            return;
        }
        self.upto(run.after_keyword);
        self.written.push(' ');
        self.written.push_str(&self.mount);
    }

    /// What a stage begins with.
    fn begin(&mut self, stage: &Stage) {
        let mut first = true;
        let mut add = |line: &str, writer: &mut Self| {
            writer.ours(line, std::mem::take(&mut first));
        };
        if !stage.inherits && self.injection.builder == Builder::Classic {
            let copy = match &self.injection.files {
                Some(Source::Image(image)) => Some(format!("COPY --from={image} / {FOLDER}/")),
                Some(Source::Folder(folder)) => Some(format!("COPY {folder} {FOLDER}/")),
                None => None,
            };
            if let Some(copy) = copy {
                add(&copy, self);
            }
            let instance = &self.injection.instance;
            add(&format!("LABEL {}=\"{instance}\"", label::BUILD), self);
        }
        add(&self.arg(|_| true, stage.inherits), self);
    }

    /// Declares those of the variables.
    fn arg(&self, is_meant: impl Fn(&str) -> bool, inherits: bool) -> String {
        let is_classic = self.injection.builder == Builder::Classic;
        let pairs = self.variables.iter().filter_map(|pair| {
            let (name, value) = pair.split_once('=').filter(|(name, _)| is_meant(name))?;
            let value = if is_classic {
                value.to_owned()
            } else {
                buildkit::merged(name, value, inherits)?
            };
            Some(format!(" {name}=\"{value}\""))
        });
        format!("ARG{}", pairs.collect::<String>())
    }

    /// Declares those variables again.
    fn again(&mut self, named: &[&str]) {
        let again = self.arg(|name| named.contains(&name), false);
        if again != "ARG" {
            self.ours(&again, false);
        }
    }

    /// An instruction of ours.
    fn ours(&mut self, line: &str, begins: bool) {
        if !self.written.ends_with('\n') {
            self.written.push('\n');
        }
        self.written.push_str(line);
        self.written.push('\n');
        self.step += 1;
        self.steps.add(self.step, self.lines, begins);
    }

    fn finish(mut self) -> Option<Injected> {
        self.upto(self.text.len());
        if self.injection.builder == Builder::BuildKit {
            let files = self.injection.files.as_ref();
            self.steps.traced = Traced::new(self.text, self.mount, files);
        }
        let injected = Injected {
            text: self.written,
            steps: self.steps,
        };
        (!injected.steps.is_empty()).then_some(injected)
    }
}

/// Those of our variables that an image built of it cannot come to keep: what the Dockerfile itself makes use of is the
/// user's.
fn kept_apart<'a>(instructions: &[Instruction], variables: &'a [String]) -> Vec<&'a String> {
    let special = ['"', '$', '\\', '`', '\n', '\r'];
    let used = |name: &str| {
        let mut expanding = instructions.iter().filter(|i| expands(i.keyword));
        expanding.any(|instruction| refers(&instruction.rest, name))
    };
    let fits = |pair: &&String| {
        let Some((name, value)) = pair.split_once('=') else {
            return false;
        };
        !value.contains(special) && !used(name)
    };
    variables.iter().filter(fits).collect()
}

/// The proxies that an ARG of the user's declares.
fn declared(rest: &str) -> Vec<&str> {
    let names = rest.split_whitespace();
    let names = names.map(|word| word.split_once('=').map_or(word, |(name, _)| name));
    names.filter(|name| PROXIES.contains(name)).collect()
}
