//! The demo's second act: a project in an intercepted shell.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Demo;
use super::project::{BLOG, Stage};
use super::recorder::Recorder;
use crate::console::say;
use crate::engine::Engine;

impl Demo<'_> {
    /// Has a project made anew, intercepted, and shows whose requests pass.
    pub(super) fn intercept(&self, status: &Value, recorder: &Recorder) -> Result<()> {
        let narrator = self.narrator;
        narrator.heading("An intercepted shell");
        say(
            "`eval \"$(dockline env)\"` leads this shell's Docker clients to dockline, and what they make sends its requests\n\
             to the interceptor: here a recorder that writes down what passes and goes on by the gateway.\n",
        );
        narrator.run(&mut self.dockline.command(&["env", "--shell", "sh"]))?;
        let endpoint = status["api_socket"].as_str();
        let endpoint = endpoint.context("`dockline status --json` names no api_socket")?;
        let engine = Engine {
            endpoint: endpoint.to_owned(),
            ..self.stage.engine.clone()
        };
        let inside = Stage {
            engine: &engine,
            ..self.stage
        };
        say("\nThe blog was not made there, so the next `up` makes it anew:\n");
        BLOG.up(narrator, &inside)?;
        let web = BLOG.container(narrator, &inside, "web")?;
        say("\nA program in one of its containers, which knows nothing of all this:\n");
        let mut wget = inside.docker(&[
            "exec",
            &web,
            "wget",
            "-q",
            "-O",
            "-",
            "http://api.blog_default/",
        ]);
        narrator.run_expecting(&mut wget, &["hello from blog/api"])?;
        let seen = recorder.seen();
        say("\nWhat the recorder saw:\n");
        for line in &seen {
            say(format_args!("    {line}"));
        }
        let expected = format!("{web}: GET http://api.blog_default/");
        ensure!(
            seen.contains(&expected),
            "the recorder should have seen `{expected}`, but saw {seen:?}"
        );
        Ok(())
    }
}
