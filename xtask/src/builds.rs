//! `cargo xtask builds`: package managers in RUN steps, each against an index of its own over HTTPS, while mitmproxy, with an
//! authority of its own, intercepts. A step counts as intercepted if mitmproxy tells of what it asked for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::clients::{brought, image};
use crate::console::say;
use crate::dockline::{Dockline, Profile, free_port};
use crate::engine::{Engine, Version};
use crate::setup::Setup;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The instance; a label of what is made here has the same value.
const INSTANCE: &str = "builds";
const LABEL: &str = "dockline-builds=1";
const NAME: &str = "dockline-builds:latest";
/// For mitmproxy to have written what it saw.
const WRITTEN: Duration = Duration::from_secs(2);
const INDEX: &str = include_str!("../builds/index.py");
/// Debian's npm brings hundreds of packages; its authors' own is one file.
const NPM: &str = "npm@10.9.2";

/// Steps, with what each asks for; `@@` is the index.
const STEPS: [(&str, &str, &str); 5] = [
    ("curl", "curl -sSf @@/page/curl", "/page/curl"),
    (
        "pip",
        "pip3 install --no-deps --break-system-packages --index-url @@/simple little && python3 -c 'import little'",
        "/files/little-1.0-py3-none-any.whl",
    ),
    (
        "npm",
        "node /opt/package/bin/npm-cli.js install --prefix /opt/js --registry @@/npm/ little",
        "/npm/little/-/little-1.0.0.tgz",
    ),
    (
        "go",
        "mkdir /opt/go && cd /opt/go && go mod init example.test/own && \
         GOPROXY=@@/go GONOSUMDB='*' GONOSUMCHECK=1 GOFLAGS=-mod=mod go get example.test/little@v1.0.0",
        "/go/example.test/little/@v/list",
    ),
    (
        "Python requests, non-root",
        "su nobody -s /bin/sh -c \"python3 -c 'import requests; print(requests.get(\\\"@@/page/requests\\\").text)'\"",
        "/page/requests",
    ),
];

/// What the engine fetches by itself. It does not trust the index.
const ADDED: &str = "/page/added";

/// The same for the classic builder.
const CLASSIC_STEPS: [(&str, &str, &str); 3] = [
    (
        "curl",
        "curl -sSf @@/page/classic-curl",
        "/page/classic-curl",
    ),
    (
        "pip",
        "pip3 install --no-deps --break-system-packages --index-url @@/simple/classic little",
        "/simple/classic/little/",
    ),
    (
        "Python requests, non-root",
        "su nobody -s /bin/sh -c \"python3 -c 'import requests; print(requests.get(\\\"@@/page/classic-requests\\\").text)'\"",
        "/page/classic-requests",
    ),
];

/// Builds an image of all of them.
pub(crate) fn run(shell: &Shell, workspace: &Workspace, host: Option<&str>) -> Result<()> {
    Dockline::build(shell, workspace, Profile::Debug)?;
    let setup = Setup::any(shell, workspace, host, &[Version::V26])?;
    let engine = setup.engines.first().context("no engine was prepared")?;
    let tried = image::ensure(shell, workspace, &setup.tools, engine)
        .and_then(|()| on_engine(shell, workspace, &setup.tools, engine));
    tried.and(setup.stop_started(workspace))
}

fn on_engine(shell: &Shell, workspace: &Workspace, tools: &Tools, engine: &Engine) -> Result<()> {
    let folder = image::folder(workspace)?;
    let (programs, settings) = brought::mitmproxy(shell, &folder)?;
    let dockline = Dockline::built(workspace, Profile::Debug, INSTANCE, &engine.endpoint)?;
    let port = free_port()?;
    let interceptor = format!("127.0.0.1:{port}");
    let ca = settings.join("mitmproxy-ca-cert.pem").display().to_string();
    let mut service = dockline.serve(&["--interceptor", &interceptor, "--ca", &ca])?;
    let seen = folder.join("mitmproxy-builds.log");
    let mut mitmproxy = None;
    let tried = dockline.wait_ready(shell, &mut service).and_then(|status| {
        let text = |name: &str| status[name].as_str().context("a status without it");
        let gateway = text("gateway")?;
        mitmproxy = Some(brought::start_mitmproxy(
            &seen, &programs, &settings, port, gateway,
        )?);
        dockline.wait_linked(shell)?;
        let api = Engine {
            endpoint: text("api_socket")?.to_owned(),
            ..engine.clone()
        };
        let lab = Lab {
            shell,
            tools,
            engine,
            api,
            seen,
        };
        lab.build(&context(shell, &folder)?)
    });
    let cleaned = clean(&Shell::for_cleanup(), tools, engine);
    if let Some(mut mitmproxy) = mitmproxy {
        mitmproxy.kill()?;
        mitmproxy.wait()?;
    }
    let stopped = dockline.stop(&Shell::for_cleanup(), service);
    tried.and(cleaned).and(stopped)
}

/// A folder with npm as its authors ship it.
fn context(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let context = folder.join("context");
    fs::create_dir_all(&context).context("make the build's context")?;
    if !context.join("npm.tgz").exists() {
        let mut pack = Command::new("npm");
        pack.args(["pack", "--silent", NPM]).current_dir(&context);
        let file = shell.output(&mut pack, MINUTES_10)?;
        fs::rename(context.join(file.trim()), context.join("npm.tgz")).context("keep npm")?;
    }
    Ok(context)
}

struct Lab<'a> {
    shell: &'a Shell,
    tools: &'a Tools,
    engine: &'a Engine,
    /// The same by way of dockline.
    api: Engine,
    /// What mitmproxy wrote.
    seen: PathBuf,
}

impl Lab<'_> {
    fn docker(&self, engine: &Engine, arguments: &[&str]) -> Result<String> {
        let mut command = self.tools.docker(engine);
        self.shell.output(command.args(arguments), MINUTES_10)
    }

    /// Starts the index on the default bridge, where builds are; its address.
    fn serve_index(&self) -> Result<String> {
        let run = [
            "run",
            "-d",
            "--label",
            LABEL,
            image::DEBIAN,
            "python3",
            "-c",
            INDEX,
        ];
        let id = self.docker(self.engine, &run)?;
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = self.docker(self.engine, &["inspect", "-f", format, id.trim()])?;
        let ready = || {
            let said = self
                .tools
                .docker(self.engine)
                .args(["logs", id.trim()])
                .output()?;
            Ok(said.stderr.starts_with(b"ready").then_some(()))
        };
        self.shell.wait_until("the index", MINUTES_2, ready)?;
        Ok(address.trim().to_owned())
    }

    fn build(&self, context: &Path) -> Result<()> {
        let address = self.serve_index()?;
        let index = format!("https://{address}");
        let mut dockerfile = format!(
            "FROM {}\nADD npm.tgz /opt/\nADD {index}{ADDED} /opt/\n",
            image::DEBIAN
        );
        for (_, script, _) in STEPS {
            dockerfile.extend(["RUN ", &script.replace("@@", &index), "\n"]);
        }
        fs::write(context.join("Dockerfile"), dockerfile).context("write the Dockerfile")?;
        let fixed = [
            "build",
            "--no-cache",
            "--progress",
            "plain",
            "--label",
            LABEL,
        ];
        let path = context.display().to_string();
        self.docker(&self.api, &[&fixed[..], &["-t", NAME, &path]].concat())?;
        let remote = format!("http://{address}/context.tar");
        self.docker(&self.api, &[&fixed[..], &[&remote]].concat())?;
        let asked = STEPS
            .iter()
            .map(|(name, _, path)| (*name, format!("{index}{path}")));
        let remote = (
            "a context fetched by the engine",
            format!("http://{address}/page/tar"),
        );
        let added = ("ADD of a URL", format!("{index}{ADDED}"));
        for (name, url) in asked.chain([remote, added]) {
            self.is_seen(name, &url)?;
        }
        self.check_image()?;
        self.build_classic(&index, &context.with_file_name("classic"))
    }

    /// The same by the classic builder, which takes a context alone.
    fn build_classic(&self, index: &str, context: &Path) -> Result<()> {
        fs::create_dir_all(context).context("make the classic build's context")?;
        let mut dockerfile = format!("FROM {}\n", image::DEBIAN);
        for (name, script, _) in CLASSIC_STEPS {
            let script = script.replace("@@", index);
            dockerfile.extend(["RUN ", &script, " # ", name, "\n"]);
        }
        let path = context.display().to_string();
        fs::write(context.join("Dockerfile"), dockerfile).context("write it")?;
        let mut command = self.tools.docker(&self.api);
        command.env("DOCKER_BUILDKIT", "0");
        command.args(["build", "--no-cache", "--label", LABEL, &path]);
        self.shell.output(&mut command, MINUTES_10)?;
        for (name, _, path) in CLASSIC_STEPS {
            self.is_seen(
                &format!("classic builder: {name}"),
                &format!("{index}{path}"),
            )?;
        }
        Ok(())
    }

    fn is_seen(&self, name: &str, url: &str) -> Result<()> {
        let seen = || Ok(fs::read_to_string(&self.seen)?.contains(url).then_some(()));
        self.shell
            .wait_until(&format!("mitmproxy's word of {name}"), WRITTEN, seen)?;
        say(format_args!("{name}: intercepted"));
        Ok(())
    }

    /// The image knows nothing of it.
    fn check_image(&self) -> Result<()> {
        let inspect = ["image", "inspect", NAME];
        let history = ["history", "--no-trunc", NAME];
        for look in [&inspect[..], &history] {
            let told = self.docker(self.engine, look)?;
            // Names that this command gave itself.
            let told = told
                .replace("dockline-builds", "")
                .replace("dockline-clients", "");
            ensure!(
                !told.contains("dockline") && !told.contains("8790"),
                "it tells: {told}"
            );
        }
        let find = ["run", "--rm", "--network", "none", NAME, "sh", "-c"];
        let find = [
            &find[..],
            &["find / -xdev -name '*dockline*'; ls -A /.dockline 2>/dev/null || true"],
        ]
        .concat();
        let found = self.docker(self.engine, &find)?;
        match found.trim() {
            "" => say("the image: nothing of it"),
            // Engines up to 20.10 leave where a step had a mount.
            "/.dockline" => say("the image: an empty folder, where the files were mounted"),
            found => bail!("it has {found}"),
        }
        Ok(())
    }
}

fn clean(shell: &Shell, tools: &Tools, engine: &Engine) -> Result<()> {
    let filter = format!("label={LABEL}");
    let docker = |arguments: &[&str]| shell.output(tools.docker(engine).args(arguments), MINUTES_2);
    for id in docker(&["ps", "-aq", "--filter", &filter])?.lines() {
        docker(&["rm", "-fv", id])?;
    }
    for id in docker(&["image", "ls", "-q", "--filter", &filter])?.lines() {
        docker(&["image", "rm", "-f", id])?;
    }
    Ok(())
}
