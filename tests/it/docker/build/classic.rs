//! The classic builder, as `docker build` without BuildKit asks for it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{Site, image, paths, said};
use crate::docker::compose::composes;
use crate::support::{Lab, docker_cli, on_each_engine, succeed};

/// Debian's, which comes with compose 1.
const PYTHON: &str = "/usr/bin/python3";

const ENABLING: &str = " *** Enabling dockline interception ***\n";

/// One after the other: the builder looks for what is cached in the newest image of a step alone, and all of these begin
/// with the same steps of ours.
#[test]
fn classic_builds_are_intercepted() {
    on_each_engine(async |lab| {
        let site = Site::new(&lab).await;
        steps_are_intercepted_and_users_see_their_own(&lab, &site);
        what_an_image_keeps(&lab, &site);
        what_makes_use_of_proxies(&lab, &site);
        where_the_dockerfile_is(&lab, &site);
        errors_are_those_of_the_user(&lab, &site);
        triggers_are_left_alone(&lab, &site);
        compose_1_and_the_sdk(&lab, &site);
        with_the_interceptor_away_a_build_goes_on(site).await;
    });
}

/// Files of a context.
fn context(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn build(lab: &Lab, folder: &Path, options: &[&str]) -> Output {
    let label = format!("test={}", lab.name);
    let mut command = lab.command(&docker_cli());
    command
        .args(["build", "--label", &label])
        .args(options)
        .arg(folder);
    command.env("DOCKER_BUILDKIT", "0").output().unwrap()
}

/// The same, and it must succeed; all that it said.
fn built(lab: &Lab, folder: &Path, options: &[&str]) -> String {
    let output = build(lab, folder, options);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

/// What was said, without ids, which are never the same twice, and without our own line.
fn told(output: &Output) -> String {
    masked(&said(output).replace(ENABLING, ""))
}

fn masked(said: &str) -> String {
    let mut told = String::new();
    for word in said.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        told.push_str(match digits.len() {
            12 | 64 => word.strip_prefix(digits).unwrap_or_default(),
            _ => word,
        });
    }
    told
}

fn steps_are_intercepted_and_users_see_their_own(lab: &Lab, site: &Site) {
    let page = &site.page;
    let dockerfile = format!(
        "# Own.\nARG BASE=dockline-fixture:latest\nFROM ${{BASE}} AS one\nENV OWN=1\n\
         RUN wget -q -O /page {page} && \\\n  # Within.\n  echo fetched\n\
         FROM one AS two\nCOPY . /context\nRUN wget -q -O- {page}; find /context | sort\nUSER 1234\n\
         RUN if test -e /.dockline; then cat /.dockline/ca-bundle.pem > /dev/null; fi\n\
         FROM scratch\nCOPY --from=two /page /\n"
    );
    let folder = context(&[
        ("Dockerfile", &dockerfile),
        ("a/b", "c"),
        (".dockerignore", "Dockerfile\n"),
    ]);
    let (through, direct) = (lab.own("through"), lab.own("direct"));
    let by_us = build(&site.shell, folder.path(), &["--no-cache", "-t", &through]);
    assert_eq!(site.requests(), 2, "{}", said(&by_us));
    assert_eq!(said(&by_us).matches(ENABLING).count(), 2);
    let plain = build(lab, folder.path(), &["--no-cache", "-t", &direct]);
    assert_eq!(site.requests(), 0);
    assert_eq!(
        told(&by_us).replace(&through, ""),
        told(&plain).replace(&direct, "")
    );
    // Its last stage has no steps: the image knows nothing.
    assert_eq!(masked(&image(lab, &through)), masked(&image(lab, &direct)));
    let labels = ["image", "inspect", "-f", "{{json .Config.Labels}}"];
    let labels = |image: &str| lab.docker(&[&labels[..], &[image]].concat());
    assert_eq!(labels(&through), labels(&direct));
    // And what is cached asks for nothing.
    let again = built(&site.shell, folder.path(), &[]);
    assert_eq!(site.requests(), 0, "{again}");
    assert!(again.contains("Using cache"), "{again}");
    let quiet = built(&site.shell, folder.path(), &["-q", "--no-cache"]);
    let lines: Vec<_> = quiet.lines().filter(|l| l.starts_with("sha256:")).collect();
    assert_eq!((lines.len(), site.requests()), (1, 2), "{quiet}");
    assert!(!quiet.contains("dockline"), "{quiet}");
}

fn what_an_image_keeps(lab: &Lab, site: &Site) {
    let page = &site.page;
    let dockerfile = format!(
        "FROM dockline-fixture:latest\nARG http_proxy\nARG NOTHING\n\
         RUN wget -q -O- {page} && cat /.dockline/ca.pem && env && test \"$PIP_CERT\" = /.dockline/ca-bundle.pem\n\
         ENV PYTHONPATH=$PYTHONPATH:/own\n"
    );
    let folder = context(&[("Dockerfile", &dockerfile)]);
    let name = lab.own("kept");
    let own = ["--build-arg", "http_proxy=http://nobody:1"];
    let options = [&["--no-cache", "-t", &name][..], &own].concat();
    let told = built(&site.shell, folder.path(), &options);
    assert_eq!(site.requests(), 1, "{told}");
    assert!(told.contains("ZG9ja2xpbmU="), "{told}");
    let format =
        "{{range .Config.Env}}{{println .}}{{end}}{{index .Config.Labels \"dockline.build\"}}";
    let kept = lab.docker(&["image", "inspect", "-f", format, &name]);
    let mut kept: Vec<_> = kept.lines().filter(|line| !line.is_empty()).collect();
    let label = kept.pop().unwrap();
    assert_eq!(label, lab.name);
    kept.retain(|pair| !pair.starts_with("PATH="));
    assert_eq!(kept, ["PYTHONPATH=:/own"]);
    // All that it has of ours is the folder that its steps trusted by.
    let all = paths(lab, &name);
    let ours = all.iter().filter(|path| path.contains("dockline"));
    assert!(ours.clone().count() > 1, "{all:?}");
    assert!(ours.clone().all(|path| path.starts_with(".dockline/")));
}

/// The engine says what a proxy's variable means there, and the image may keep it.
fn what_makes_use_of_proxies(lab: &Lab, site: &Site) {
    let dockerfile =
        "FROM dockline-fixture:latest\nARG http_proxy\nENV kept=$http_proxy\nRUN env\n";
    let folder = context(&[("Dockerfile", dockerfile)]);
    let name = lab.own("proxies");
    let options = [
        "--no-cache",
        "-t",
        &name,
        "--build-arg",
        "http_proxy=http://own:1",
    ];
    let told = built(&site.shell, folder.path(), &options);
    assert!(told.contains("makes use of a proxy's variable"), "{told}");
    assert!(told.contains("http_proxy=http://own:1"), "{told}");
    let format = "{{range .Config.Env}}{{println .}}{{end}}";
    let kept = lab.docker(&["image", "inspect", "-f", format, &name]);
    assert!(
        kept.lines().any(|pair| pair == "kept=http://own:1"),
        "{kept}"
    );
}

fn where_the_dockerfile_is(lab: &Lab, site: &Site) {
    let page = &site.page;
    let step = format!("FROM dockline-fixture:latest AS one\nRUN wget -q -O- {page}\n");
    let more = format!("{step}FROM one AS two\nRUN wget -q -O- {page}\n");
    let folder = context(&[("sub/own", &more), ("dockerfile", &step)]);
    let file = folder.path().join("sub/own");
    let file = file.to_str().unwrap();
    let small = folder.path().join("dockerfile");
    let small = small.to_str().unwrap();
    let arch = lab.docker(&["version", "-f", "{{.Server.Os}}/{{.Server.Arch}}"]);
    for (options, requests) in [
        (&["-f", file][..], 2),
        (&["-f", file, "--target", "one"], 1),
        (&["-f", small, "--network", "host"], 1),
        (&["-f", small, "--network", "bridge"], 1),
        // Its files come with the context.
        (&["-f", file, "--platform", &arch], 2),
    ] {
        let options = [&["--no-cache"][..], options].concat();
        built(&site.shell, folder.path(), &options);
        assert_eq!(site.requests(), requests, "{options:?}");
    }
    let none = ["--no-cache", "--network", "none", "-f", file];
    let output = build(&site.shell, folder.path(), &none);
    assert!(!output.status.success(), "{}", said(&output));
    assert_eq!(site.requests(), 0);
}

fn errors_are_those_of_the_user(lab: &Lab, site: &Site) {
    for dockerfile in [
        "FROM dockline-fixture:latest\nRUN sh -c 'exit 7'\n",
        "FROM dockline-fixture:latest\nRUM true\n",
        "FROM dockline-fixture:latest\nRUN true\n\nCOPY --nothing a b\n",
        "FROM dockline-fixture:latest\nRUN true\nCOPY nothing /\n",
        "FROM dockline-fixture:latest\nRUN true\nEXPOSE x\n",
        "RUN true\n",
        "FROM scratch\n",
    ] {
        let folder = context(&[("Dockerfile", dockerfile)]);
        let through = build(&site.shell, folder.path(), &["--no-cache"]);
        let direct = build(lab, folder.path(), &["--no-cache"]);
        assert_eq!(through.status.code(), direct.status.code());
        assert_eq!(told(&through), told(&direct), "{dockerfile}");
    }
}

fn triggers_are_left_alone(lab: &Lab, site: &Site) {
    let page = &site.page;
    let base = lab.own("base");
    let trigger = format!(
        "FROM dockline-fixture:latest\nONBUILD RUN wget -q -O- {page} && test -z \"$http_proxy\"\n"
    );
    let folder = context(&[("Dockerfile", &trigger)]);
    built(&site.shell, folder.path(), &["-t", &base]);
    let dockerfile = format!("FROM {base}\nRUN wget -q -O- {page} && test -n \"$http_proxy\"\n");
    let folder = context(&[("Dockerfile", &dockerfile)]);
    built(&site.shell, folder.path(), &["--no-cache"]);
    assert_eq!(site.requests(), 1);
    // A network of the user's own is left alone, and that is told.
    let network = lab.network("own", &[]);
    let folder = context(&[("Dockerfile", "FROM dockline-fixture:latest\nRUN true\n")]);
    let said = built(&site.shell, folder.path(), &["--network", &network]);
    assert!(
        said.contains("[Warning] dockline: this build is not intercepted"),
        "{said}"
    );
}

fn compose_1_and_the_sdk(lab: &Lab, site: &Site) {
    let page = &site.page;
    let dockerfile = format!("FROM dockline-fixture:latest\nRUN wget -q -O- {page}\n");
    let folder = context(&[("Dockerfile", &dockerfile)]);
    let label = format!("labels: {{ test: {} }}", lab.name);
    let text = format!("version: '3.4'\nservices:\n  one:\n    build: {{ context: ., {label} }}\n");
    fs::write(folder.path().join("docker-compose.yml"), text).unwrap();
    for program in composes() {
        let mut command = site.shell.command(&program[0]);
        command.args(&program[1..]).args(["build", "--no-cache"]);
        command
            .current_dir(folder.path())
            .env("DOCKER_BUILDKIT", "0")
            // Compose 1 asks the API itself: there need be no `docker` to find.
            .env("COMPOSE_DOCKER_CLI_BUILD", "0")
            .env("COMPOSE_PROJECT_NAME", lab.name.replace('-', ""));
        succeed(&mut command);
        assert_eq!(site.requests(), 1, "{program:?}");
    }
    let python = Command::new(PYTHON).args(["-c", "import docker"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        return println!("skipped: {PYTHON} has no module `docker`");
    }
    // A context that is packed.
    let script = "import docker, sys\n\
        docker.from_env(version='auto').images.build(path=sys.argv[1], gzip=True, nocache=True, labels={'test': sys.argv[2]})";
    let mut python = site.shell.command(Path::new(PYTHON));
    succeed(
        python
            .args(["-c", script])
            .arg(folder.path())
            .arg(&lab.name),
    );
    assert_eq!(site.requests(), 1);
}

async fn with_the_interceptor_away_a_build_goes_on(site: Site) {
    let dockerfile = format!(
        "FROM dockline-fixture:latest\nRUN wget -q -O- {}\n",
        site.page
    );
    let folder = context(&[("Dockerfile", &dockerfile)]);
    let Site {
        running,
        recorder,
        shell,
        ..
    } = site;
    drop(recorder);
    let said = built(&shell, folder.path(), &["--no-cache"]);
    assert!(said.contains("hello from web"), "{said}");
    running.stop().await;
}
