//! BuildKit, as `docker build` asks for it.

use super::{Site, build, built, image, paths, said};
use crate::support::{Lab, docker_cli, eventually, on_each_engine};

#[test]
fn builds_are_intercepted() {
    on_each_engine(async |lab| {
        let site = Site::new(&lab).await;
        steps_are_intercepted_and_images_do_not_know(&lab, &site);
        caches_are_those_of_who_is_intercepted_and_of_who_is_not(&lab, &site);
        mounts_of_the_user_stay(&lab, &site);
        site.running.stop().await;
    });
}

#[test]
fn builds_fail_and_end_as_they_would() {
    on_each_engine(async |lab| {
        let site = Site::new(&lab).await;
        errors_show_the_users_own_lines(&lab, &site);
        a_build_that_is_interrupted_ends_in_the_engine(&site).await;
        a_graph_that_grows_too_large_is_built_as_it_was(&lab, &site);
        many_builds_at_once_are_all_intercepted_and_leave_nothing(&site).await;
        site.running.stop().await;
    });
}

fn steps_are_intercepted_and_images_do_not_know(lab: &Lab, site: &Site) {
    let page = &site.page;
    // What BuildKit has learnt since engine 20.
    let newer = match lab.engine.name.as_str() {
        "20" => format!("RUN wget -q -O- {page}\n"),
        _ => format!(
            "RUN --network=none test ! -e /.dockline && test -z \"$HTTP_PROXY\"\n\
             RUN <<END\nwget -q -O- {page}\nEND\n"
        ),
    };
    let dockerfile = format!(
        "FROM dockline-fixture:latest AS one\nENV CURL_CA_BUNDLE=/own\n\
             RUN wget -q -O /page {page} && cat /.dockline/ca.pem && echo \"$CURL_CA_BUNDLE\" > /told\n\
             FROM dockline-fixture:latest AS two\nCOPY --from=one /page /told /\n\
             {newer}USER 1234\nRUN cat /.dockline/ca-bundle.pem > /dev/null\n\
             FROM scratch\nCOPY --from=two /page /told /\n"
    );
    let name = lab.own("image");
    let options = ["--no-cache", "-t", &name];
    let told = built(&site.shell, &dockerfile, &options);
    assert!(
        told.contains("*** Enabling dockline interception ***"),
        "{told}"
    );
    assert!(told.contains("ZG9ja2xpbmU="), "{told}");
    assert_eq!(site.requests(), 2);
    let found = image(lab, &name);
    assert!(
        !paths(lab, &name)
            .iter()
            .any(|path| path.contains("dockline"))
    );
    // The same without dockline is the same image, but for what the step was told.
    let direct = dockerfile
        .replace(" && cat /.dockline/ca.pem", "")
        .replace("RUN cat /.dockline/ca-bundle.pem > /dev/null", "RUN true");
    let plain = lab.own("plain");
    built(lab, &direct, &["--no-cache", "-t", &plain]);
    assert_eq!(site.requests(), 0);
    let without_layers = |image: &str| -> Vec<String> {
        let lines = image
            .lines()
            .map(|line| line.split(" [\"sha256").next().unwrap());
        lines.map(str::to_owned).collect()
    };
    assert_eq!(without_layers(&found), without_layers(&image(lab, &plain)));
    assert_eq!(found.matches("sha256:").count(), 1, "{found}");
}

fn caches_are_those_of_who_is_intercepted_and_of_who_is_not(lab: &Lab, site: &Site) {
    let page = &site.page;
    let dockerfile = format!(
        "FROM dockline-fixture:latest\nARG SALT={}\nRUN echo $SALT; wget -q -O- {page}\n",
        lab.name
    );
    built(lab, &dockerfile, &[]);
    assert_eq!(site.requests(), 0);
    built(&site.shell, &dockerfile, &[]);
    assert_eq!(site.requests(), 1, "an ordinary build's step was taken");
    let again = built(&site.shell, &dockerfile, &[]);
    assert_eq!(
        (site.requests(), again.matches("CACHED").count() > 0),
        (0, true),
        "{again}"
    );
    let ordinary = built(lab, &dockerfile, &[]);
    let step = ordinary.lines().filter(|line| line.contains("hello from"));
    assert_eq!(step.count(), 0, "{ordinary}");
    // What a build says of its proxy does not change that.
    let proxy = ["--build-arg", "http_proxy=http://nobody:1"];
    built(&site.shell, &dockerfile, &proxy);
    assert_eq!(site.requests(), 0);
}

fn mounts_of_the_user_stay(lab: &Lab, site: &Site) {
    let page = &site.page;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "a secret").unwrap();
    let first =
        format!("grep -q secret /run/secrets/own; touch /gone/x; wget -q -O /kept/page {page}");
    let step = match lab.engine.name.as_str() {
        "20" => first,
        _ => format!("<<END\nset -e\n{}\nEND", first.replace("; ", "\n")),
    };
    let dockerfile = format!(
        "FROM dockline-fixture:latest\n\
         RUN --mount=type=secret,id=own --mount=type=cache,target=/kept --mount=type=tmpfs,target=/gone {step}\n\
         RUN --mount=type=cache,target=/kept cat /kept/page && test ! -e /gone/x && ! grep -q secret /run/secrets/own\n"
    );
    let secret = format!("id=own,src={}", secret.path().display());
    let told = built(
        &site.shell,
        &dockerfile,
        &["--no-cache", "--secret", &secret],
    );
    assert_eq!(site.requests(), 1, "{told}");
    assert!(told.contains("hello from web"), "{told}");
}

/// Engines up to 26 take 4 MiB. The graph has the whole Dockerfile, and as it was it fits.
fn a_graph_that_grows_too_large_is_built_as_it_was(lab: &Lab, site: &Site) {
    // Engine 20 keeps no lines.
    if lab.engine.name == "20" {
        return;
    }
    let page = &site.page;
    let comment = format!("# {}\n", "x".repeat(97)).repeat(39_500);
    let dockerfile = format!("FROM dockline-fixture:latest\n{comment}RUN wget -q -O- {page}\n");
    let told = built(&site.shell, &dockerfile, &["--no-cache"]);
    assert_eq!(site.requests(), 0, "{told}");
    assert!(told.contains("hello from web"), "{told}");
    let why = "this build is not intercepted: the engine refused the intercepted build graph";
    assert!(told.contains(why), "{told}");
}

fn errors_show_the_users_own_lines(lab: &Lab, site: &Site) {
    // The whole file travels in a trailer.
    let comment = format!("# {}\n", "x".repeat(98)).repeat(800);
    let dockerfile =
        format!("FROM dockline-fixture:latest\n{comment}RUN true\nRUN sh -c 'exit 7'\n");
    let through = build(&site.shell, &dockerfile, &["--no-cache"]);
    let direct = build(lab, &dockerfile, &["--no-cache"]);
    assert!(!through.status.success());
    let excerpt = |said: String| -> Vec<String> {
        let lines = said
            .lines()
            .skip_while(|line| !line.starts_with("Dockerfile:"));
        lines.map(str::to_owned).collect()
    };
    let found = excerpt(said(&through));
    assert_eq!(found, excerpt(said(&direct)), "{}", said(&through));
    let shows_lines = lab.engine.name != "20";
    let first = found.first().map_or("", String::as_str);
    assert_eq!(first.contains(":803"), shows_lines, "{found:?}");
    for broken in [
        "FROM dockline-fixture:latest\nRUM true\n",
        "FROM nobody:none-at-all\n",
    ] {
        let error = |lab| {
            let said = said(&build(lab, broken, &["--pull=false"]));
            said.lines().last().unwrap_or_default().to_owned()
        };
        assert_eq!(error(&site.shell), error(lab));
    }
}

#[test]
fn a_build_goes_on_without_whoever_is_away() {
    on_each_engine(async |lab| {
        let site = Site::new(&lab).await;
        let page = &site.page;
        let dockerfile = format!("FROM dockline-fixture:latest\nRUN wget -q -O- {page}\n");
        let Site {
            running,
            recorder,
            shell,
            ..
        } = site;
        drop(recorder);
        let told = built(&shell, &dockerfile, &["--no-cache"]);
        assert!(told.contains("hello from web"), "{told}");
        running.stop().await;
    });
}

#[test]
fn who_wants_no_build_intercepted_has_none() {
    on_each_engine(async |lab| {
        let running = crate::support::Running::start(&lab, |config| {
            config.intercept_builds = false;
            config.ca = Some(super::CA.into());
        })
        .await;
        running.ready().await;
        let dockerfile =
            "FROM dockline-fixture:latest\nRUN test ! -e /.dockline && test -z \"$http_proxy\"\n";
        built(&running.shell(&lab), dockerfile, &["--no-cache"]);
        running.stop().await;
    });
}

async fn a_build_that_is_interrupted_ends_in_the_engine(site: &Site) {
    let page = &site.page;
    let seconds = format!("{}", 100_000 + std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let dockerfile =
        format!("FROM dockline-fixture:latest\nRUN wget -q -O- {page}; exec sleep {seconds}\n");
    std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    let mut command = site.shell.command(&docker_cli());
    command
        .args(["build", "-q", "--no-cache"])
        .arg(folder.path());
    let mut building = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    eventually("in its step", async || {
        (sleepers(&seconds) > 0).then_some(())
    })
    .await;
    crate::support::signal(building.id(), rustix::process::Signal::INT);
    assert!(!building.wait().unwrap().success());
    eventually("ended", async || (sleepers(&seconds) == 0).then_some(())).await;
    assert_eq!(site.requests(), 1);
}

/// Processes of this machine that sleep for so long.
fn sleepers(seconds: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
    let wanted = format!("sleep\0{seconds}\0");
    lines.filter(|line| line == wanted.as_bytes()).count()
}

async fn many_builds_at_once_are_all_intercepted_and_leave_nothing(site: &Site) {
    let page = &site.page;
    let dockerfile = format!("FROM dockline-fixture:latest\nRUN wget -q -O- {page}\n");
    std::thread::scope(|scope| {
        for round in 0..8 {
            let dockerfile = dockerfile.replace("RUN ", &format!("RUN echo {round}; "));
            let shell = &site.shell;
            scope.spawn(move || built(shell, &dockerfile, &["--no-cache"]));
        }
    });
    assert_eq!(site.requests(), 8);
    let socket = site.shell.engine.host.strip_prefix("unix://").unwrap();
    eventually("all connections closed", async || {
        (connections(socket) == 0).then_some(())
    })
    .await;
}

/// How many connections a socket has, by what this machine says of those that were accepted there.
fn connections(socket: &str) -> usize {
    let all = std::fs::read_to_string("/proc/net/unix").unwrap();
    let here = all.lines().filter(|line| line.ends_with(socket));
    // The fourth field tells listeners from the rest.
    here.filter(|line| line.split_whitespace().nth(3) != Some("00010000"))
        .count()
}
