//! The stages of a Dockerfile.

use super::Unclear;
use super::instructions::Instruction;

/// One stage, up to the one that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    /// Where its FROM begins in the text.
    pub(super) start: usize,
    name: Option<String>,
    /// Whether something is run in it.
    pub(super) has_steps: bool,
    /// Whether the stage that it is made of has the files.
    pub(super) inherits: bool,
}

/// The stages that are built. `target`: the name or the number of the last one of them.
pub(super) fn stages(
    instructions: &[Instruction],
    target: Option<&str>,
) -> Result<Vec<Stage>, Unclear> {
    let mut stages: Vec<Stage> = Vec::new();
    for instruction in instructions {
        match (instruction.keyword, stages.last_mut()) {
            ("FROM", _) => {
                let (base, name) = from(&instruction.rest)?;
                let is_base = |stage: &&Stage| is_called(stage, base);
                let base = stages.iter().rfind(is_base);
                stages.push(Stage {
                    start: instruction.start,
                    name: name.map(str::to_owned),
                    has_steps: false,
                    inherits: base.is_some_and(|base| base.has_steps || base.inherits),
                });
            }
            ("RUN", Some(stage)) => stage.has_steps = true,
            ("ARG", None) | (_, Some(_)) => {}
            (_, None) => return Err(Unclear("it does not begin with a stage")),
        }
    }
    if let Some(target) = target.filter(|target| !target.is_empty()) {
        let called = stages.iter().position(|stage| is_called(stage, target));
        let last = called.or_else(|| target.parse().ok());
        stages.truncate(last.map_or(stages.len(), |last: usize| last.saturating_add(1)));
    }
    Ok(stages)
}

fn is_called(stage: &Stage, name: &str) -> bool {
    let own = stage.name.as_deref();
    own.is_some_and(|own| own.eq_ignore_ascii_case(name))
}

/// What a stage is made of, and its name.
fn from(rest: &str) -> Result<(&str, Option<&str>), Unclear> {
    let mut words = rest.split_whitespace().filter(|w| !w.starts_with("--"));
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(base), None, ..) => Ok((base, None)),
        (Some(base), Some(between), Some(name), None) if between.eq_ignore_ascii_case("as") => {
            Ok((base, Some(name)))
        }
        _ => Err(Unclear("a FROM has not one image and at most one name")),
    }
}
