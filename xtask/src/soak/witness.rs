//! A service that has just started, and sees all with fresh eyes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::stage::Stage;
use super::{INSTANCE, WITNESS};
use crate::console::say;
use crate::dockline::Dockline;
use crate::shell::{MINUTES_2, Shell};

/// After the last change: events arrive within milliseconds, and a missed one shall not be found by the periodic check.
const SETTLING: Duration = Duration::from_secs(5);

/// Holds the map of the old service against that of a new one, which watches the same containers; answers how they differ.
pub(super) fn compare(stage: &Stage<'_>, old: &Dockline) -> Result<Option<String>> {
    let new = stage.dockline(WITNESS)?;
    let same = format!("dockline.instance={INSTANCE}");
    let mut witness = new.serve(&["--interceptor", "none", "--match", &same])?;
    let ready = new.wait_ready(stage.shell, &mut witness);
    let compared = ready.map(|_| difference(stage, old, &new));
    new.stop(&Shell::for_cleanup(), witness)?;
    compared
}

fn difference(stage: &Stage<'_>, old: &Dockline, new: &Dockline) -> Option<String> {
    let mut last = (Value::Null, Value::Null);
    let same = stage.shell.wait_until("the same map", SETTLING, || {
        last = (picture(stage, old)?, picture(stage, new)?);
        Ok((last.0 == last.1).then_some(()))
    });
    let (is, should_be) = last;
    let seen = is[0].as_array().map_or(0, Vec::len);
    say(format_args!(
        "the map: {seen} watched containers, {} names",
        is[1]
    ));
    let error = same.err()?;
    Some(format!(
        "the map is {is}, and should be {should_be} ({error:#})"
    ))
}

/// What a service says of containers, networks and names.
fn picture(stage: &Stage<'_>, dockline: &Dockline) -> Result<Value> {
    let mut status = dockline.command(&["status", "--json"]);
    let answer = stage.shell.output(&mut status, MINUTES_2)?;
    let status: Value = serde_json::from_str(&answer).context("read the status")?;
    Ok(json!([status["containers"], status["map"]["names"]]))
}
