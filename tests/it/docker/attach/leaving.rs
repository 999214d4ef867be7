//! What becomes of intercepted containers when `serve` ends, and what `clean` removes.

use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use super::{dockline, inspect, names};
use crate::docker::api::shell_at;
use crate::support::{Lab, eventually, on_each_engine, signal, succeed};

fn serve(lab: &Lab, folder: &Path, on_exit: &str) -> Child {
    let flags = ["serve", "--interceptor", "none", "--on-exit", on_exit];
    let mut serve = dockline(lab, &lab.engine.host, folder, &flags);
    serve.stderr(Stdio::null()).spawn().unwrap()
}

/// One container that was created in an intercepted shell, and one that was attached.
async fn intercepted(lab: &Lab, folder: &Path) {
    let net = lab.own("net");
    let quick = ["--network", &net, "--stop-timeout", "0"];
    let sleep = ["sleep", "1000"];
    let shell = shell_at(lab, &folder.join("docker.sock")).await;
    shell.start("created", &quick, &sleep);
    lab.start("attached", &quick, &sleep);
    let own = lab.own("attached");
    succeed(&mut dockline(
        lab,
        &lab.engine.host,
        folder,
        &["attach", &own],
    ));
}

fn is_plain(lab: &Lab, name: &str) -> bool {
    let found = inspect(lab, name);
    assert_eq!(found["State"]["Running"], true, "{name}");
    !found["Config"].to_string().contains("dockline.instance")
}

#[test]
fn on_exit_says_what_becomes_of_containers() {
    on_each_engine(async |lab| {
        let folder = tempfile::tempdir().unwrap();
        lab.network("net", &[]);
        for on_exit in ["detach", "remove"] {
            let mut child = serve(&lab, folder.path(), on_exit);
            intercepted(&lab, folder.path()).await;
            signal(child.id(), Signal::TERM);
            let ended = eventually("an end", async || child.try_wait().unwrap()).await;
            assert!(ended.success(), "{ended}");
            assert!(is_plain(&lab, "attached"), "{on_exit}");
            if on_exit == "detach" {
                assert!(is_plain(&lab, "created"));
                lab.docker(&["rm", "-f", &lab.own("created"), &lab.own("attached")]);
            } else {
                assert_eq!(names(&lab), [lab.own("attached")], "{on_exit}");
            }
            let left = lab.labelled(&lab.watched());
            assert!(left.is_empty(), "{on_exit}: {left:?}");
        }
    });
}

#[test]
fn clean_removes_what_it_is_told_to_and_nothing_else() {
    on_each_engine(async |lab| {
        let folder = tempfile::tempdir().unwrap();
        lab.network("net", &[]);
        let mut child = serve(&lab, folder.path(), "keep");
        intercepted(&lab, folder.path()).await;
        // Past the API proxy an image is what the engine makes of an intercepted container.
        let image = lab.own("image");
        lab.docker(&["commit", &lab.own("created"), &image]);
        signal(child.id(), Signal::TERM);
        let ended = eventually("an end", async || child.try_wait().unwrap()).await;
        assert!(ended.success(), "{ended}");
        let all = names(&lab);
        assert!(
            !is_plain(&lab, "attached") && !is_plain(&lab, "created"),
            "{all:?}"
        );

        let clean = |flags: &[&str]| {
            let arguments = [&["clean"], flags].concat();
            dockline(&lab, &lab.engine.host, folder.path(), &arguments)
        };
        let output = clean(&["--remove"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let noted = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{noted}");
        assert!(
            told.contains(&format!("restored {}", lab.own("attached"))),
            "{told}"
        );
        assert!(
            told.contains(&format!("removed container {}", lab.own("created"))),
            "{told}"
        );
        assert!(
            noted.contains(&format!("image {image}")) && noted.contains("--images"),
            "{noted}"
        );
        assert_eq!(names(&lab), [lab.own("attached")]);
        assert!(is_plain(&lab, "attached"));
        lab.docker(&["image", "inspect", &image]);

        let told = succeed(&mut clean(&["--images"]));
        assert!(told.contains(&format!("removed image {image}")), "{told}");
        assert!(
            !lab.try_docker(&["image", "inspect", &image])
                .status
                .success()
        );
        assert_eq!(succeed(&mut clean(&["--remove", "--images"])), "", "twice");
    });
}
