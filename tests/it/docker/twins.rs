//! Two networks of one name, which engines before 25 make for whoever does not ask them to look.

use std::process::Command;

use serde_json::{Value, json};

use super::scope::asked_inside;
use crate::support::{Lab, eventually, on_each_engine, succeed};

/// Makes a network without asking whether there is one of that name: its id, if the engine makes it.
fn make(lab: &Lab, name: &str) -> Option<String> {
    let socket = lab.engine.host.strip_prefix("unix://")?;
    let labels = json!({"test": lab.name});
    let body = json!({"Name": name, "CheckDuplicate": false, "Labels": labels});
    let made = succeed(
        Command::new("curl")
            .args(["-sS", "--unix-socket", socket, "-H"])
            .args(["Content-Type: application/json", "-d", &body.to_string()])
            .arg("http://docker/networks/create"),
    );
    let made: Value = serde_json::from_str(&made).unwrap();
    made["Id"].as_str().map(str::to_owned)
}

#[test]
fn networks_of_one_name_are_told_apart() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let (watched, idle) = (lab.watched(), ["sleep", "600"]);
        let label = ["--label", &watched];
        // Before its twin is there: nobody is started on a network of which there are two.
        lab.serve_page("api0", &["--network", &net, "--network-alias", "api"]);
        lab.start("web0", &[&label[..], &["--network", &net]].concat(), &idle);
        let Some(twin) = make(&lab, &net) else {
            println!("skipped: this engine has no two networks of one name");
            return;
        };
        lab.serve_page("api1", &[]);
        lab.start("web1", &label, &idle);
        lab.docker(&[
            "network",
            "connect",
            "--alias",
            "api",
            &twin,
            &lab.own("api1"),
        ]);
        lab.docker(&["network", "connect", &twin, &lab.own("web1")]);
        let running = lab.service().await;
        let found = eventually("both known", async || {
            let found = running.resolve("api", None).await;
            (found.addresses.len() == 2).then_some(found)
        })
        .await;
        assert!(found.ambiguous, "{found:?}");
        // Names alone: a container on both twins is said to be on one of them, and so is the tunnel.
        for number in 0..2 {
            let web = format!("web{number}");
            let own = lab.own(&web);
            for name in ["api", &format!("api.{net}")] {
                let inside = asked_inside(&lab, &web, name);
                let ours = running.resolve(name, Some(&own)).await.addresses;
                let ours: Vec<_> = ours.iter().map(ToString::to_string).collect();
                assert_eq!(ours, [inside], "{name} from {web}");
            }
        }
        running.stop().await;
    });
}
