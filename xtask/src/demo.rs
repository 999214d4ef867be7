//! `cargo xtask demo`: shows a newcomer what dockline does, and fails if it does not.
//!
//! Two compose projects run, of which each has services of the same names. The demo looks names up, fetches pages
//! from containers on networks that this host has no name for, and removes everything again, also after Ctrl-C.

mod narrator;
mod pages;
mod project;
mod traffic;

use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use self::narrator::Narrator;
use self::project::{BLOG, KIOSK, Project, SHOP, Stage};
use crate::console::say;
use crate::dockline::{Dockline, Profile};
use crate::engine::Version;
use crate::setup::Setup;
use crate::shell::Shell;
use crate::workspace::Workspace;

/// The dockline instance of the demo, so that it never touches another one.
const INSTANCE: &str = "demo";
/// A cold build takes minutes on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Plays the demo, then cleans up whatever happened.
pub(crate) fn run(shell: &Shell, workspace: &Workspace, host: Option<&str>) -> Result<()> {
    let narrator = Narrator::new(shell.clone());
    narrator.heading("Building dockline, finding an engine");
    shell.run(
        workspace
            .cargo()
            .args(["build", "--quiet", "--package", "dockline"]),
        BUILD_LIMIT,
    )?;
    let setup = Setup::any(shell, workspace, host, &[Version::V26])?;
    let played = on_engine(&narrator, workspace, &setup);
    let stopped = setup.stop_started(workspace);
    played.and(stopped)?;
    say("\nThat was dockline. Everything above was as it should be, and nothing of it is left.");
    Ok(())
}

fn on_engine(narrator: &Narrator, workspace: &Workspace, setup: &Setup) -> Result<()> {
    let engine = setup.engines.first().context("no engine was prepared")?;
    let stage = Stage {
        workspace,
        tools: &setup.tools,
        engine,
    };
    for project in [SHOP, BLOG, KIOSK] {
        project.ensure_absent(narrator, &stage)?;
    }
    let demo = Demo {
        narrator,
        stage,
        dockline: Dockline::built(workspace, Profile::Debug, INSTANCE, &engine.endpoint)?,
    };
    let mut service = None;
    let played = demo.play(&mut service);
    let cleaned = demo.clean_up(service);
    match (played, cleaned) {
        (Err(error), Err(also)) => Err(error.context(format!(
            "cleaning up failed as well ({also:#}); before that"
        ))),
        (played, cleaned) => played.and(cleaned),
    }
}

struct Demo<'a> {
    narrator: &'a Narrator,
    stage: Stage<'a>,
    dockline: Dockline,
}

impl Demo<'_> {
    /// All that is shown; `service` is set as soon as there is something to stop.
    fn play(&self, service: &mut Option<Child>) -> Result<()> {
        self.start_projects()?;
        let status = self.start_service(service)?;
        self.show_map(&status)?;
        self.resolve_names()?;
        let gateway = status["gateway"]
            .as_str()
            .context("`dockline status --json` names no gateway")?;
        self.fetch_pages(gateway)?;
        self.watch_traffic()?;
        self.remove_project_while_serving()
    }

    fn start_projects(&self) -> Result<()> {
        self.narrator.heading("Two compose projects");
        say(
            "A shop and a blog, from the same file: both have an `api`, a `web`, a `db` and a `vault`, on networks of\n\
             their own. This host knows none of these names. The label `dockline.instance=demo`, which all but the\n\
             `guest` carry, is what makes dockline watch a container.\n",
        );
        say(format_args!(
            "  $ export DOCKER_HOST={}",
            self.stage.engine.endpoint
        ));
        SHOP.up(self.narrator, &self.stage)?;
        BLOG.up(self.narrator, &self.stage)?;
        let table = "table {{.Names}}\t{{.Networks}}";
        let args = [
            "ps",
            "--filter",
            "name=shop",
            "--filter",
            "name=blog",
            "--format",
            table,
        ];
        self.narrator.run(&mut self.stage.docker(&args))?;
        Ok(())
    }

    fn start_service(&self, service: &mut Option<Child>) -> Result<Value> {
        self.narrator.heading("Starting dockline");
        say(
            "It asks the engine what runs there, and starts a small container, the tunnel, which joins the networks\n\
             of the watched containers. Port 0 picks free ports.\n",
        );
        let exports: Vec<String> = self
            .dockline
            .variables()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        say(format_args!("  $ export {}", exports.join(" ")));
        let running = service.insert(self.dockline.serve(&[])?);
        self.dockline.wait_ready(self.narrator.shell(), running)
    }

    fn show_map(&self, status: &Value) -> Result<()> {
        self.narrator.heading("What dockline sees");
        say("The watched containers, their networks, addresses and names:\n");
        self.narrator.run(&mut self.dockline.command(&["status"]))?;
        ensure!(
            status["ready"] == true,
            "`dockline status --json` should say that it is ready"
        );
        let containers = status["containers"]
            .as_array()
            .context("`dockline status --json` lists no containers")?;
        let seen = |name: &str| containers.iter().any(|container| container["name"] == name);
        for project in [SHOP, BLOG] {
            for service in ["web", "api", "db", "vault", "sidecar"] {
                let name = project.container(self.narrator, &self.stage, service)?;
                ensure!(seen(&name), "{name} should be among the watched containers");
            }
            let guest = project.container(self.narrator, &self.stage, "guest")?;
            ensure!(
                !seen(&guest),
                "{guest} carries no label, so it should not be watched"
            );
        }
        Ok(())
    }

    fn resolve_names(&self) -> Result<()> {
        let narrator = self.narrator;
        narrator.heading("Names");
        let address = |project: Project, what| project.address(narrator, &self.stage, what);
        let resolve = |args: &[&str], expected: &[&str]| {
            let mut command = self.dockline.command(&["resolve"]);
            narrator.run_expecting(command.args(args), expected)
        };
        let shop_api = address(SHOP, ("api", "default", "IPAddress"))?;
        let blog_api = address(BLOG, ("api", "default", "IPAddress"))?;
        say("`api` alone could be either, so without a point of view both are found:\n");
        resolve(&["api"], &[&shop_api, &blog_api])?;
        say("\nSeen from a container it is what Docker itself would tell that container:\n");
        let shop_web = SHOP.container(narrator, &self.stage, "web")?;
        resolve(&["api", "--from", &shop_web], &[&shop_api])?;
        let blog_web = BLOG.container(narrator, &self.stage, "web")?;
        resolve(&["api", "--from", &blog_web], &[&blog_api])?;
        say("\nWith its network's name it is unmistakable. Links and hosts entries count, too:\n");
        resolve(&["api.shop_default"], &[&shop_api])?;
        resolve(&["backend", "--from", &shop_web], &[&shop_api])?;
        let db = address(SHOP, ("db", "fixed", "IPAddress"))?;
        resolve(&["legacy.example", "--from", &shop_web], &[&db])?;
        say("\nIPv6, where the network has it:\n");
        let six = address(SHOP, ("api", "six", "GlobalIPv6Address"))?;
        resolve(&["api.shop_six", "--type", "AAAA"], &[&six])?;
        say("\nAnd this is how a destination would be reached:\n");
        let vault = address(SHOP, ("vault", "vaults", "IPAddress"))?;
        narrator.run_expecting(
            &mut self.dockline.command(&["route", "vault.shop_vaults:80"]),
            &[&vault],
        )
    }

    fn remove_project_while_serving(&self) -> Result<()> {
        self.narrator.heading("dockline is in nobody's way");
        say(
            "A project is removed while dockline runs: its networks go, although the tunnel was in them.\n",
        );
        BLOG.down(self.narrator, &self.stage)?;
        let left = BLOG.list(self.narrator, &self.stage, &["network", "ls"])?;
        ensure!(
            left.is_empty(),
            "the blog's networks should be gone, but these are left:\n{left}"
        );
        Ok(())
    }

    /// Tries every step, reports the first that failed, and looks whether anything is left.
    fn clean_up(&self, service: Option<Child>) -> Result<()> {
        let narrator = &self.narrator.for_cleanup();
        narrator.heading("Cleaning up");
        // Intercepted containers keep the tunnel.
        let kiosk = self.remove_project(narrator, KIOSK);
        let stopped = service.map_or(Ok(()), |service| {
            say("  $ kill %1");
            self.dockline.stop(narrator.shell(), service)
        });
        let cleaned = narrator
            .run(&mut self.dockline.command(&["clean"]))
            .map(drop);
        let shop = self.remove_project(narrator, SHOP);
        let blog = self.remove_project(narrator, BLOG);
        let verified = self.verify_nothing_left(narrator);
        kiosk
            .and(stopped)
            .and(cleaned)
            .and(shop)
            .and(blog)
            .and(verified)
    }

    fn remove_project(&self, narrator: &Narrator, project: Project) -> Result<()> {
        for listing in [["ps", "--all"].as_slice(), &["network", "ls"]] {
            if !project.list(narrator, &self.stage, listing)?.is_empty() {
                return project.down(narrator, &self.stage);
            }
        }
        Ok(())
    }

    fn verify_nothing_left(&self, narrator: &Narrator) -> Result<()> {
        say("\nNothing carries the demo's label any more:\n");
        let filter = format!("label=dockline.instance={INSTANCE}");
        let mut found = String::new();
        for listing in [
            ["ps", "--all"].as_slice(),
            &["network", "ls"],
            &["volume", "ls"],
        ] {
            let mut command = self.stage.docker(listing);
            found += &narrator.run(command.args(["--quiet", "--filter", &filter]))?;
            for project in [SHOP, BLOG, KIOSK] {
                found += &project.list(narrator, &self.stage, listing)?;
            }
        }
        ensure!(found.is_empty(), "the demo left something behind:\n{found}");
        Ok(())
    }
}
