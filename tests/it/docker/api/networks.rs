//! The tunnel is where a container needs it before it starts, and in nobody's way.

use crate::support::{IMAGE, eventually, on_each_engine};

#[test]
fn the_entry_has_its_name_before_a_container_starts() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let label = format!("test={}", lab.name);
        let entry = format!("dockline-tunnel-{}", lab.name);
        for round in 0..5 {
            let net = shell.network(&format!("net{round}"), &[]);
            // Its first and only act.
            shell.docker(&[
                "run",
                "--rm",
                "--label",
                &label,
                "--network",
                &net,
                IMAGE,
                "nslookup",
                &entry,
            ]);
            shell.docker(&["network", "rm", &net]);
        }
        running.stop().await;
    });
}

#[test]
fn a_network_that_the_tunnel_is_on_can_be_removed_and_looks_empty() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let net = shell.network("net", &[]);
        shell.start("web", &["--network", &net], &["sleep", "1000"]);
        running.joined(&[&net]).await;
        let members = [
            "network",
            "inspect",
            "-f",
            "{{range .Containers}}{{.Name}} {{end}}",
            &net,
        ];
        assert_eq!(shell.docker(&members), lab.own("web"));
        let refused = shell.try_docker(&["network", "rm", &net]);
        assert!(!refused.status.success(), "a container is on it");
        // What let it go for the attempt joins again.
        running.joined(&[&net]).await;
        shell.docker(&["network", "disconnect", "-f", &net, &lab.own("web")]);
        shell.docker(&["network", "rm", &net]);
        let net = shell.network("pruned", &[]);
        shell.start("brief", &["--network", &net], &["sleep", "1000"]);
        running.joined(&[&net]).await;
        shell.docker(&["rm", "-f", &lab.own("brief")]);
        let filter = format!("label=test={}", lab.name);
        let pruned = shell.docker(&["network", "prune", "-f", "--filter", &filter]);
        assert!(pruned.contains(&net), "{pruned}");
        running.stop().await;
    });
}

/// Nobody asks the tunnel to let go but the engine's events.
#[test]
fn past_the_api_proxy_networks_are_removed_and_pruned_as_well() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let watched = lab.watched();
        let filter = format!("label=test={}", lab.name);
        for end in [&["rm", "-f"][..], &["stop", "-t", "0"], &["kill"]] {
            for remove in ["rm", "prune"] {
                let net = lab.network("net", &[]);
                let options = ["--network", &net, "--label", &watched];
                lab.start("web", &options, &["sleep", "1000"]);
                running.joined(&[&net]).await;
                lab.docker(&[end, &[&lab.own("web")]].concat());
                lab.try_docker(&["rm", "-f", &lab.own("web")]);
                let prune = ["network", "prune", "-f", "--filter", &filter];
                let rm = ["network", "rm", &net];
                let said = lab.docker(if remove == "rm" { &rm } else { &prune });
                assert!(said.contains(&net), "{remove} after {end:?}: {said}");
            }
        }
        running.stop().await;
    });
}

#[test]
fn a_container_gets_the_address_that_it_asks_for() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        // Far from where engines of their own accord make networks.
        let subnet = format!("10.241.{}.0/24", std::process::id() % 256);
        let net = shell.network("net", &["--subnet", &subnet]);
        shell.start("first", &["--network", &net], &["sleep", "1000"]);
        running.joined(&[&net]).await;
        // It is known to have joined before its address there is.
        let ours = eventually("the tunnel's address", async || {
            let networks = running.status().await.tunnel.networks;
            networks.into_iter().find(|n| n.name == net)?.address
        })
        .await;
        let options = ["--network", &net, "--ip", &ours.to_string()];
        shell.start("wants", &options, &["sleep", "1000"]);
        assert_eq!(lab.address("wants"), ours.to_string());
        running.joined(&[&net]).await;
        running.stop().await;
    });
}
