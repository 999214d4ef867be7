//! dockline in a container of the engine that it watches. `cargo xtask sidecar` tries the image, with an interceptor.

use std::process::Command;

use serde_json::Value;

use crate::support::{Lab, eventually, on_each_engine, succeed};

const PASSWORD: &str = "of-this-test";
const DOCKLINE: &str = "/dockline/bin";

/// The program of this build, which is not static, and the libraries that it needs.
fn mounts(lab: &Lab) -> Option<Vec<String>> {
    let socket = lab.engine.host.strip_prefix("unix://")?;
    let program = env!("CARGO_BIN_EXE_dockline");
    let needed = succeed(Command::new("ldd").arg(program));
    let words = needed.lines().flat_map(str::split_whitespace);
    let libraries = words.filter(|word| word.starts_with('/'));
    let libraries = libraries.map(|path| format!("{path}:{path}:ro"));
    let mut mounts = vec![
        format!("{socket}:/var/run/docker.sock"),
        format!("{program}:{DOCKLINE}:ro"),
    ];
    mounts.extend(libraries);
    Some(mounts)
}

fn start(lab: &Lab, mounts: &[String], network: &str) -> String {
    let password = format!("DOCKLINE_GATEWAY_PASSWORD={PASSWORD}");
    let instance = format!("DOCKLINE_INSTANCE={}", lab.name);
    let mut options = vec!["--label", "dockline.role=service", "--network", network];
    options.extend(["-e", &password, "-e", &instance]);
    options.extend(["-e", "DOCKLINE_RUNTIME_DIR=/dockline/run"]);
    // Not what a container is called by itself.
    options.extend(["--hostname", "beside"]);
    for mount in mounts {
        options.extend(["-v", mount]);
    }
    let serve = [DOCKLINE, "serve", "--interceptor", "none"];
    let listen = ["--gateway", "0.0.0.0:1090", "--dns", "0.0.0.0:5390"];
    lab.start("beside", &options, &[&serve[..], &listen].concat())
}

/// The status, once the link is up.
async fn running(lab: &Lab) -> Value {
    let own = lab.own("beside");
    eventually("linked, in a container", async || {
        let said = lab.try_docker(&["exec", &own, DOCKLINE, "status", "--json"]);
        let status: Value = serde_json::from_slice(&said.stdout).map_err(|error| {
            let log = lab.try_docker(&["logs", "--tail", "20", &own]);
            format!("{error}: {said:?} {}", String::from_utf8_lossy(&log.stderr))
        })?;
        let up = status["tunnel"]["link"]["state"] == "up";
        up.then(|| status.clone()).ok_or(status.to_string())
    })
    .await
}

fn networks(lab: &Lab, container: &str) -> String {
    let format = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    lab.docker(&["inspect", "--format", format, container])
}

#[test]
fn a_sidecar_is_a_guest_in_the_tunnels_home_and_serves_its_neighbours() {
    on_each_engine(async |lab| {
        let Some(mounts) = mounts(&lab) else {
            println!("skipped: the engine's socket cannot be mounted");
            return;
        };
        let (net, beside) = (lab.network("net", &[]), lab.network("beside", &[]));
        lab.serve_page("web", &["--label", &lab.watched(), "--network", &net]);
        let sidecar = start(&lab, &mounts, &beside);
        let home = format!("0-dockline-{}", lab.name);
        let status = running(&lab).await;
        let watched = status["containers"].as_array().unwrap();
        assert_eq!(watched.len(), 1, "{status}");
        assert_eq!(watched[0]["name"], lab.own("web"), "{status}");
        assert!(networks(&lab, &sidecar).contains(&home));

        let page = |credentials: &str| {
            let proxy = format!("http_proxy=http://{credentials}{}:1090/", lab.own("beside"));
            let url = format!("http://{}.{net}/", lab.own("web"));
            let run = ["run", "--rm", "--network", &beside, "-e", &proxy];
            let wget = ["dockline-fixture:latest", "wget", "-q", "-O", "-", &url];
            let said = lab.try_docker(&[&run[..], &wget].concat());
            String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned()
        };
        assert!(page("").contains("407"), "{}", page(""));
        assert_eq!(
            page(&format!("dockline:{PASSWORD}@")).trim(),
            "hello from web"
        );

        // Killed and started again, it is there still.
        lab.docker(&["kill", &sidecar]);
        lab.docker(&["start", &sidecar]);
        running(&lab).await;
        assert_eq!(
            page(&format!("dockline:{PASSWORD}@")).trim(),
            "hello from web"
        );

        lab.docker(&["stop", "-t", "60", &sidecar]);
        let format = "{{.State.ExitCode}}";
        assert_eq!(lab.docker(&["inspect", "--format", format, &sidecar]), "0");
        assert!(!networks(&lab, &sidecar).contains(&home));
        let left = lab.labelled("dockline.role").into_iter();
        let left: Vec<_> = left
            .filter(|name| name.contains(&lab.name) && *name != lab.own("beside"))
            .collect();
        assert!(left.is_empty(), "{left:?}");

        // Its home has gone, and nothing keeps it from starting.
        lab.docker(&["start", &sidecar]);
        running(&lab).await;
        lab.docker(&["stop", "-t", "60", &sidecar]);
    });
}
