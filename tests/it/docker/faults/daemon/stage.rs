//! What runs while the engine dies, and what is asked of it afterwards.

use std::process::{Child, Command, Stdio};

use super::super::killed::{CA, clean};
use super::super::made;
use super::cases::{Case, Work};
use crate::docker::attach::{inspect, names};
use crate::support::front::{Fault, Front};
use crate::support::{IMAGE, Lab, Running, docker_cli, eventually};

/// What runs while the engine dies.
pub(super) struct Stage<'a> {
    pub(super) lab: &'a Lab,
    pub(super) case: Case,
    pub(super) front: Front,
    pub(super) net: String,
    pub(super) late_net: String,
    /// What the container wrote.
    pub(super) kept: String,
    /// Whether containers outlive the engine.
    pub(super) live_restore: bool,
}

/// Who was at work.
#[derive(Default)]
pub(super) struct Busy {
    pub(super) service: Option<Running>,
    pub(super) client: Option<Child>,
    pub(super) ending: Option<tokio::task::JoinHandle<()>>,
}

impl Stage<'_> {
    pub(super) async fn launch(&self) -> Running {
        let ca = |config: &mut dockline::config::Config| config.ca = Some(CA.into());
        Running::launch(&self.lab.name, &self.front.host(), ca).await
    }

    /// A container that has written something.
    async fn start_web(&mut self, lab: &Lab) {
        let write = "test -e /own || echo $RANDOM$RANDOM > /own; exec sleep 1000";
        let watched = self.lab.watched();
        let mut options = vec!["--network", &self.net, "--stop-timeout", "0"];
        options.extend(["--restart", self.case.policy]);
        if !matches!(self.case.work, Work::Attach | Work::Detach) {
            options.extend(["--label", &watched]);
        }
        lab.start("web", &options, &["sh", "-c", write]);
        self.kept = self.lab.written("web", &["/own"]).await;
    }

    /// Everything up to the call in question, which is faulty from here on.
    pub(super) async fn begin(&mut self) -> Busy {
        let mut busy = Busy::default();
        if self.case.work == Work::Begin {
            busy.service = Some(self.serve_anew().await);
            return busy;
        }
        let running = self.serve().await;
        match self.case.work {
            Work::Attach => busy.client = Some(self.recreate("attach", &running)),
            Work::Detach => busy.client = Some(self.recreate("detach", &running)),
            Work::Create => busy.client = Some(self.create_in(&running.shell(self.lab))),
            Work::Join => {
                self.arm();
                self.start_page("late", &self.late_net);
            }
            Work::Leave | Work::Return => {
                self.start_page("late", &self.late_net);
                running.joined(&[&self.net, &self.late_net]).await;
                self.arm();
                self.lab.docker(&["rm", "-f", &self.lab.own("late")]);
            }
            Work::Begin | Work::End => {
                self.lab.docker(&["rm", "-f", &self.lab.own("web")]);
                running.joined(&[]).await;
                self.arm();
                busy.ending = Some(tokio::task::spawn(async {
                    running.stop().await;
                }));
                return busy;
            }
        }
        busy.service = Some(running);
        busy
    }

    /// A service where there has never been one.
    async fn serve_anew(&mut self) -> Running {
        self.start_web(self.lab).await;
        // To this dockline there is no image, whatever others have left.
        let none = Fault::Instead(404, "{\"message\":\"no\"}");
        self.front.fault("GET /images/", none);
        self.arm();
        self.launch().await
    }

    /// A service whose tunnel is where it is needed.
    async fn serve(&mut self) -> Running {
        let running = self.launch().await;
        running.ready().await;
        let shell = running.shell(self.lab);
        let intercepted = self.case.work == Work::Detach;
        self.start_web(if intercepted { &shell } else { self.lab })
            .await;
        if self.case.has_plain() {
            self.start_page("plain", &self.net);
        }
        let nets = [self.net.as_str()];
        let joined = usize::from(self.case.work != Work::Attach);
        running.joined(&nets[..joined]).await;
        running
    }

    fn recreate(&self, command: &str, running: &Running) -> Child {
        self.arm();
        let mut dockline = Command::new(env!("CARGO_BIN_EXE_dockline"));
        dockline
            .args([command, &self.lab.own("web"), "--instance", &self.lab.name])
            .args(["--host", &self.front.host()])
            .env("DOCKLINE_RUNTIME_DIR", running.control.parent().unwrap());
        quiet(&mut dockline)
    }

    fn create_in(&self, shell: &Lab) -> Child {
        self.arm();
        quiet(shell.command(&docker_cli()).args(self.create()))
    }

    /// Somebody who is back when the engine is.
    pub(super) fn start_page(&self, name: &str, net: &str) {
        let watched = self.lab.watched();
        let options = ["--label", &watched, "--network", net];
        let options = [&options[..], &["--network-alias", name]].concat();
        // An engine without live-restore stops it as it comes back, and waits for that.
        let lasting = ["--restart", "always", "--stop-signal", "KILL"];
        self.lab
            .serve_page(name, &[&options[..], &lasting].concat());
    }

    fn create(&self) -> Vec<String> {
        let (name, label) = (self.lab.own("new"), format!("test={}", self.lab.name));
        let words = ["create", "--name", &name, "--label", &label, IMAGE, "true"];
        words.map(str::to_owned).to_vec()
    }

    fn arm(&self) {
        let fault = match self.case.moment {
            Some(_) => Fault::Held,
            None => Fault::Unheard,
        };
        self.front.fault(self.case.step, fault);
    }

    /// Waits until the engine is to do what is asked, and lets it do so until its moment has come.
    pub(super) async fn reach(&self) {
        let Case { step, moment, .. } = self.case;
        eventually(step, async || {
            let count = match moment {
                Some(_) => self.front.asked(step),
                None => self.front.unheard(step),
            };
            (count > 0).then_some(())
        })
        .await;
        if let Some(moment) = moment {
            self.front.mend(step);
            tokio::time::sleep(moment).await;
        }
    }

    /// The container that was there all the while is there, as it was, and nothing of it beside it.
    pub(super) fn is_whole(&self) -> Result<(), String> {
        let (lab, web) = (self.lab, self.lab.own("web"));
        let others = ["new", "late", "plain"].map(|name| lab.own(name));
        let there = names(lab).into_iter().filter(|n| !others.contains(n));
        let there: Vec<_> = there.collect();
        if there != [web.as_str()] {
            return Err(format!("{there:?}"));
        }
        let found = inspect(lab, "web");
        let policy = &found["HostConfig"]["RestartPolicy"]["Name"];
        if policy != self.case.policy {
            return Err(format!("{policy}"));
        }
        if found["State"]["Running"] != true {
            if self.live_restore || self.case.policy == "always" {
                return Err(found["State"].to_string());
            }
            // The engine has ended it, and takes it for stopped: dockline is not asked to know better.
            lab.docker(&["start", &web]);
        }
        let read = lab.try_docker(&["exec", &web, "cat", "/own"]);
        let read = String::from_utf8_lossy(&read.stdout).into_owned();
        if read.trim() != self.kept {
            return Err(format!("it wrote {}, and has {read}", self.kept));
        }
        Ok(())
    }

    /// One that was created is there with its files, or can be created.
    fn created_is_whole(&self, running: &Running) {
        let shell = running.shell(self.lab);
        let new = self.lab.own("new");
        if !self.lab.try_docker(&["inspect", &new]).status.success() {
            let create = self.create();
            shell.docker(&create.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("bundle");
        let from = format!("{new}:/.dockline/ca-bundle.pem");
        self.lab.docker(&["cp", &from, copy.to_str().unwrap()]);
        let bundle = std::fs::read_to_string(copy).unwrap();
        assert!(bundle.matches("BEGIN CERTIFICATE").count() > 100 && bundle.ends_with(CA));
        shell.docker(&["start", &new]);
    }

    /// The service does what it is there for, be it the same or the next.
    pub(super) async fn is_served(&self, running: &Running) {
        running.ready().await;
        let late = matches!(self.case.work, Work::Join | Work::Return);
        match self.case.work {
            Work::Join | Work::Leave | Work::Return | Work::Begin => {
                let nets = [self.net.as_str(), self.late_net.as_str()];
                let web_runs = inspect(self.lab, "web")["State"]["Running"] == true;
                assert!(web_runs, "`is_whole` has seen to that");
                running.joined(&nets[..=usize::from(late)]).await;
            }
            Work::Create => self.created_is_whole(running),
            Work::Attach | Work::Detach | Work::End => {}
        }
        if late {
            eventually("the page", async || {
                let page = running.try_fetch("http", "http://late/");
                (page == "hello from late").then_some(()).ok_or(page)
            })
            .await;
        }
    }

    /// Nothing of dockline's is left, and of the container nothing is gone.
    pub(super) async fn is_clean(&self) {
        clean(self.lab);
        let case = format!("{:?}", self.case);
        assert_eq!(made(self.lab), [""; 0], "{case}");
        let own = format!("label={}", self.lab.watched());
        let volumes = ["volume", "ls", "-q", "--filter", &own];
        assert_eq!(self.lab.docker(&volumes), "", "{case}");
        if self.case.work != Work::End {
            eventually(&format!("whole after {case}"), async || self.is_whole()).await;
            let labels = inspect(self.lab, "web")["Config"]["Labels"].to_string();
            assert!(!labels.contains("dockline.undo"), "{case}: {labels}");
        }
    }
}

fn quiet(command: &mut Command) -> Child {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
