//! The engine's own program is killed in the middle of what dockline asks of it, and started again: a service that lived on, or
//! `clean`, finds everything as it needs it, and nothing is lost.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::killed::{CA, clean};
use super::{made, tunnel_of};
use crate::docker::attach::deaths::STEPS;
use crate::docker::attach::{inspect, names, remove_kept};
use crate::support::daemon::Daemon;
use crate::support::front::{Fault, Front};
use crate::support::relay::relay;
use crate::support::{IMAGE, Lab, Running, docker_cli, eventually, on_each_engine};

/// What dockline is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Attach,
    Detach,
    /// A container is created in an intercepted shell, the first of its image.
    Create,
    /// The tunnel joins a network.
    Join,
    /// The tunnel leaves one.
    Leave,
    /// It leaves one, on which somebody is again before dockline hears of that.
    Return,
    /// `serve` begins, where it has never been.
    Begin,
    /// `serve` ends.
    End,
}

/// Who finds what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The service, which does not die.
    Same,
    /// Dockline dies with the engine: the next service.
    Service,
    /// As before, and there is none any more: `dockline clean`.
    Clean,
}

/// The calls by which it is done, but for those of [`STEPS`].
const OTHERS: [(Work, &str); 14] = [
    (Work::Create, "POST /volumes/create"),
    (Work::Create, "PUT /containers/"),
    (Work::Create, "DELETE /containers/"),
    (Work::Create, "POST /containers/create?name="),
    (Work::Join, "/connect"),
    (Work::Leave, "/disconnect"),
    (Work::Begin, "POST /images/create"),
    (Work::Begin, "POST /networks/create"),
    (Work::Begin, "DELETE /networks/"),
    (Work::Begin, "POST /containers/create"),
    (Work::Begin, "/start"),
    (Work::End, "/stop"),
    (Work::Leave, "/disconnect"),
    (Work::Return, "/disconnect"),
];

const POLICIES: [&str; 3] = ["always", "unless-stopped", "no"];

/// How long the engine is at a call when it is killed.
const MOMENTS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(3),
    Duration::from_millis(10),
    Duration::from_millis(40),
];

/// One death.
#[derive(Clone, Copy, Debug)]
struct Case {
    work: Work,
    step: &'static str,
    /// How long it is at it; nothing: it is done, and nobody has heard of that.
    moment: Option<Duration>,
    /// Of the container that is there all the while.
    policy: &'static str,
    next: Next,
}

impl Case {
    /// Whether somebody else is on the network, whom the tunnel serves before, meanwhile and afterwards.
    fn has_plain(&self) -> bool {
        !matches!(self.work, Work::Attach | Work::Begin | Work::End)
    }
}

fn cases(live_restore: bool) -> impl Iterator<Item = Case> {
    let anew = [Work::Attach, Work::Detach];
    let anew = anew.into_iter().flat_map(|w| STEPS.map(|step| (w, step)));
    anew.chain(OTHERS)
        .enumerate()
        .map(move |(number, (work, step))| {
            let kind = usize::from(live_restore);
            let half = (number + kind) % 2 == 0;
            let serves = (number / 4 + kind) % 2 == 0;
            Case {
                work,
                step,
                moment: half.then_some(MOMENTS[number / 2 % MOMENTS.len()]),
                // Others are not touched by that step.
                policy: match step {
                    "/update" => "always",
                    _ => POLICIES[number % POLICIES.len()],
                },
                next: match number / 2 % 2 {
                    _ if work == Work::End => Next::Clean,
                    0 if serves => Next::Service,
                    0 => Next::Clean,
                    _ => Next::Same,
                },
            }
        })
}

/// What runs while the engine dies.
struct Stage<'a> {
    lab: &'a Lab,
    case: Case,
    front: Front,
    net: String,
    late_net: String,
    /// What the container wrote.
    kept: String,
    /// Whether containers outlive the engine.
    live_restore: bool,
}

/// Who was at work.
#[derive(Default)]
struct Busy {
    service: Option<Running>,
    client: Option<Child>,
    ending: Option<tokio::task::JoinHandle<()>>,
}

impl Stage<'_> {
    async fn launch(&self) -> Running {
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
    async fn begin(&mut self) -> Busy {
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
    fn start_page(&self, name: &str, net: &str) {
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
    async fn reach(&self) {
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
    fn is_whole(&self) -> Result<(), String> {
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
    async fn is_served(&self, running: &Running) {
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
    async fn is_clean(&self) {
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

async fn answers(lab: &Lab) {
    eventually("the engine's answer", async || {
        let asked = lab.try_docker(&["version"]);
        asked.status.success().then_some(())
    })
    .await;
}

/// It is there without dockline, which may live, but has not heard of the engine's return.
async fn tunnel_is_up(lab: &Lab) {
    let tunnel = tunnel_of(lab);
    eventually("the tunnel without dockline", async || {
        let running = lab.docker(&["inspect", "-f", "{{.State.Running}}", &tunnel]);
        (running == "true").then_some(()).ok_or(running)
    })
    .await;
}

/// It serves those on that network, whether dockline is there or not.
async fn tunnel_serves(lab: &Lab, net: &str) {
    let proxy = format!("http_proxy=http://{}:8790", tunnel_of(lab));
    let fetch = ["run", "--rm", "--network", net, "-e", &proxy, IMAGE];
    let fetch = [&fetch[..], &["wget", "-qO-", "http://plain/"]].concat();
    eventually("a page by way of the tunnel", async || {
        let got = lab.try_docker(&fetch);
        let text = String::from_utf8_lossy(&got.stdout).into_owned();
        let said = String::from_utf8_lossy(&got.stderr);
        let right = text.trim() == "hello from plain";
        right.then_some(()).ok_or_else(|| format!("{text}{said}"))
    })
    .await;
    lab.docker(&["rm", "-fv", &lab.own("plain")]);
}

async fn die(stage: &mut Stage<'_>, engine: &mut Option<Child>) {
    let Busy {
        mut service,
        mut client,
        ending,
    } = stage.begin().await;
    stage.reach().await;
    let daemon = Daemon::of(stage.lab).await;
    // In this order, since the front would answer for an engine that does not.
    stage.front.kill().await;
    daemon.kill().await;
    if stage.case.next != Next::Same {
        if let Some(service) = service.take() {
            service.kill().await;
        }
        if let Some(client) = &mut client {
            client.kill().unwrap();
        }
    }
    if let Some(mut client) = client {
        eventually("the client's end", async || client.try_wait().unwrap()).await;
    }
    if let Some(ending) = ending {
        ending.await.unwrap();
    }
    if let Some(mut before) = engine.replace(daemon.start()) {
        before.wait().unwrap();
    }
    answers(stage.lab).await;
    if !matches!(stage.case.work, Work::Begin | Work::End) {
        tunnel_is_up(stage.lab).await;
    }
    if stage.case.work == Work::Return {
        stage.start_page("late", &stage.late_net);
    }
    stage.front.mend(stage.case.step);
    stage.front.open();
    if stage.case.has_plain() {
        tunnel_serves(stage.lab, &stage.net).await;
    }
    if stage.case.next == Next::Service {
        service = Some(stage.launch().await);
    }
    if let Some(service) = service {
        let case = format!("whole after {:?}", stage.case);
        eventually(&case, async || stage.is_whole()).await;
        stage.is_served(&service).await;
        service.stop().await;
    }
    stage.is_clean().await;
}

#[test]
#[ignore = "kills its engine again and again: `cargo xtask deaths --daemon` has one for it"]
fn a_daemon_that_is_killed_in_the_middle_of_anything_loses_nothing() {
    on_each_engine(async |lab| {
        let (net, late_net) = (lab.network("net", &[]), lab.network("late", &[]));
        let live_restore = Daemon::of(&lab).await.live_restore();
        let mut engine = None;
        for case in cases(live_restore) {
            println!("{case:?}, live-restore: {live_restore}");
            let mut stage = Stage {
                lab: &lab,
                case,
                front: relay(&lab),
                net: net.clone(),
                late_net: late_net.clone(),
                kept: String::new(),
                live_restore,
            };
            die(&mut stage, &mut engine).await;
            remove_kept(&lab);
        }
        let ended = engine.and_then(|mut engine| engine.try_wait().unwrap());
        assert_eq!(ended, None, "the engine that was started last");
    });
}
