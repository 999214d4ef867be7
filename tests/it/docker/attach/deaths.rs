//! What dies at each step of `attach` and `detach`; all cases of what it leaves are in `core/recreate/tests/crashes.rs`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::{dockline, inspect, names, remove_kept};
use crate::support::front::{Fault, Front};
use crate::support::relay::relay;
use crate::support::{Lab, Running, eventually, on_each_engine, signal, succeed};

/// The calls by which a container that kept files is made anew.
pub(in crate::docker) const STEPS: [&str; 9] = [
    "POST /containers/create",
    "/stop",
    "POST /commit",
    "POST /images/load",
    "DELETE /images/",
    "/update",
    "/rename",
    "/start",
    "DELETE /containers/",
];

const COMMANDS: [&str; 2] = ["attach", "detach"];

/// Who dies, and when.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// The command, before the engine has heard of the step.
    Before,
    /// The command, when the engine has done it.
    After,
    /// The tunnel, meanwhile.
    Tunnel,
    /// The engine, before it has heard of it.
    EngineBefore,
    /// The engine, when it has done it.
    EngineAfter,
}

const DEATHS: [Death; 5] = [
    Death::Before,
    Death::After,
    Death::Tunnel,
    Death::EngineBefore,
    Death::EngineAfter,
];

/// One of so many cases is tried, on each engine others; all of them take a quarter of an hour, in `cargo xtask deaths`.
const ONE_OF: usize = 11;

fn cases(lab: &Lab) -> impl Iterator<Item = (&'static str, &'static str, Death)> {
    let all = COMMANDS.into_iter().flat_map(|command| {
        let steps = STEPS.into_iter();
        steps.flat_map(move |step| DEATHS.map(|death| (command, step, death)))
    });
    let (first, step) = match std::env::var_os("DOCKLINE_TEST_EVERY_DEATH") {
        Some(_) => (0, 1),
        None if lab.engine.name == "26" => (4, ONE_OF),
        None => (0, ONE_OF),
    };
    all.skip(first).step_by(step)
}

struct Stage<'a> {
    lab: &'a Lab,
    front: Front,
    running: Running,
    folder: PathBuf,
    net: String,
    own: String,
}

impl<'a> Stage<'a> {
    async fn new(lab: &'a Lab) -> Self {
        let net = lab.network("net", &[]);
        let front = relay(lab);
        let running = Running::launch(&lab.name, &front.host(), |_| {}).await;
        running.ready().await;
        Self {
            lab,
            folder: running.control.parent().unwrap().to_owned(),
            front,
            running,
            net,
            own: lab.own("web"),
        }
    }

    fn run(&self, arguments: &[&str]) -> Command {
        let mut command = dockline(self.lab, &self.front.host(), &self.folder, arguments);
        command.stderr(Stdio::null());
        command
    }

    /// A container that has written files, intercepted if it is to be detached; what it wrote.
    async fn start(&self, command: &str) -> String {
        let shell = self.running.shell(self.lab);
        let lab = if command == "attach" {
            self.lab
        } else {
            &shell
        };
        let write = "test -e /own || echo $RANDOM$RANDOM > /own; exec sleep 1000";
        let options = ["--network", &self.net, "--stop-timeout", "0"];
        let options = [&options[..], &["--restart", "always"]].concat();
        lab.start("web", &options, &["sh", "-c", write]);
        self.lab.written("web", &["/own"]).await
    }

    /// Has somebody die at that step, and waits until somebody has settled what is left.
    async fn die(&self, command: &str, step: &str, death: Death) {
        let (asked, unheard) = (self.front.asked(step), self.front.unheard(step));
        let after = matches!(death, Death::After | Death::EngineAfter);
        self.front.fault(
            step,
            match death {
                Death::Before | Death::EngineBefore => Fault::Lost,
                Death::After | Death::EngineAfter => Fault::Unheard,
                Death::Tunnel => Fault::Held,
            },
        );
        let mut child = self.run(&[command, &self.own]).spawn().unwrap();
        eventually(step, async || {
            let reached = if after {
                self.front.unheard(step) > unheard
            } else {
                self.front.asked(step) > asked
            };
            reached.then_some(())
        })
        .await;
        match death {
            Death::Before | Death::After => {
                child.kill().unwrap();
                child.wait().unwrap();
                self.front.mend(step);
                // Settles what was left, whichever end that is, and takes it from there.
                succeed(&mut self.run(&["detach", "--all"]));
            }
            Death::Tunnel => {
                let tunnel = format!("dockline-tunnel-{}", self.lab.name);
                self.lab.docker(&["kill", &tunnel]);
                self.front.mend(step);
                ended(&mut child).await;
            }
            Death::EngineBefore | Death::EngineAfter => {
                self.front.kill().await;
                ended(&mut child).await;
                self.front.mend(step);
                // The service settles it as soon as it is back.
                self.front.open();
            }
        }
    }
}

/// One container, as a whole, in one of its two ways.
fn is_whole(lab: &Lab, kept: &str) -> Result<(), String> {
    let there = names(lab);
    if there != [lab.own("web")] {
        return Err(format!("{there:?}"));
    }
    let found = inspect(lab, "web");
    let policy = &found["HostConfig"]["RestartPolicy"]["Name"];
    if found["State"]["Running"] != true || policy != "always" {
        return Err(format!("{} {policy}", found["State"]));
    }
    let read = lab.try_docker(&["exec", &lab.own("web"), "cat", "/own"]);
    let read = String::from_utf8_lossy(&read.stdout).into_owned();
    if read.trim() != kept {
        return Err(format!("it wrote {kept}, and has {read}"));
    }
    Ok(())
}

async fn ended(child: &mut Child) {
    eventually("an end", async || child.try_wait().unwrap()).await;
}

#[test]
fn a_death_at_any_step_loses_nothing() {
    on_each_engine(async |lab| {
        let stage = Stage::new(&lab).await;
        for (command, step, death) in cases(&lab) {
            stage.running.joined(&[]).await;
            let kept = stage.start(command).await;
            stage.die(command, step, death).await;
            let case = format!("whole after {death:?} at {step} of {command}");
            eventually(&case, async || is_whole(&lab, &kept)).await;
            if matches!(death, Death::Before | Death::After) {
                let labels = inspect(&lab, "web")["Config"]["Labels"].to_string();
                assert!(!labels.contains("dockline.undo"), "{case}: {labels}");
            }
            remove_kept(&lab);
        }
        stage.running.stop().await;
    });
}

/// The container before cannot be removed, or somebody has enough of waiting until it is: the one in its place does
/// already, and there may be nothing whole to go back to.
#[test]
fn what_does_is_not_taken_back() {
    on_each_engine(async |lab| {
        let stage = Stage::new(&lab).await;
        let kept = stage.start("attach").await;
        let removal = |of: &Value| format!("DELETE /containers/{}", of["Id"].as_str().unwrap());
        let busy = r#"{"message":"device or resource busy"}"#;

        let remove = removal(&inspect(&lab, "web"));
        stage.front.fault(&remove, Fault::Instead(500, busy));
        let attach = stage
            .run(&["attach", &stage.own])
            .stderr(Stdio::piped())
            .output();
        let attach = attach.unwrap();
        let said = String::from_utf8_lossy(&attach.stderr);
        assert!(
            attach.status.success() && said.contains("resource busy"),
            "{said}"
        );
        let backup = format!("{}.dockline-backup", stage.own);
        assert!(names(&lab).contains(&backup), "{:?}", names(&lab));
        let attached = inspect(&lab, "web");
        assert_eq!(attached["State"]["Running"], true);
        assert!(
            attached["Config"]["Labels"]
                .to_string()
                .contains("dockline.undo")
        );
        stage.front.mend(&remove);

        let remove = removal(&attached);
        stage.front.fault(&remove, Fault::Held);
        let mut child = stage.run(&["detach", &stage.own]).spawn().unwrap();
        let asked = async |times| {
            let asked = async || (stage.front.asked(&remove) == times).then_some(());
            eventually("the removal", asked).await;
        };
        asked(1).await;
        signal(child.id(), Signal::INT);
        asked(2).await;
        stage.front.mend(&remove);
        ended(&mut child).await;
        is_whole(&lab, &kept).unwrap();
        let detached = inspect(&lab, "web");
        assert!(
            !detached["Config"]["Labels"]
                .to_string()
                .contains("dockline.undo")
        );
        stage.running.stop().await;
        remove_kept(&lab);
    });
}

/// What a container wrote is an image of its own for a moment, before it has another's configuration.
#[test]
fn what_was_kept_half_way_is_cleaned_up() {
    on_each_engine(async |lab| {
        let stage = Stage::new(&lab).await;
        let kept = stage.start("attach").await;
        let mut child = stage.run(&["attach", &stage.own]).spawn().unwrap();
        stage.front.fault("POST /images/load", Fault::Lost);
        let asked = async || (stage.front.asked("POST /images/load") > 0).then_some(());
        eventually("the kept files", asked).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let own = format!("label=dockline.instance={}", lab.name);
        let committed = || {
            lab.docker(&[
                "images",
                "--quiet",
                "--filter",
                &own,
                "--filter",
                "label=dockline.role=data",
            ])
        };
        assert_eq!(committed().lines().count(), 1);
        stage.front.mend("POST /images/load");
        let clean = dockline(&lab, &stage.front.host(), &stage.folder, &["clean"]);
        stage.running.stop().await;
        succeed(&mut { clean });
        assert_eq!(committed(), "");
        eventually("the one before", async || is_whole(&lab, &kept).ok()).await;
    });
}
