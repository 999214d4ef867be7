//! All the way round: a container made in an intercepted shell, the entry, the interceptor, the gateway, another container.

use std::process::Stdio;

use crate::docker::entry::intercepted;
use crate::docker::entry::recorder::Recorder;
use crate::support::{IMAGE, docker_cli, eventually, on_each_engine};

#[test]
fn what_a_container_asks_for_first_is_intercepted() {
    on_each_engine(async |lab| {
        let recorder = Recorder::new().await;
        let running = intercepted(&lab, &recorder).await;
        let shell = running.shell(&lab);
        let net = shell.network("net", &[]);
        shell.serve_page("web", &["--network", &net, "--network-alias", "web"]);
        let label = format!("test={}", lab.name);
        for round in 0..5 {
            let own = lab.own(&format!("client{round}"));
            let run = [
                "run",
                "--rm",
                "--name",
                &own,
                "--label",
                &label,
                "--network",
                &net,
                IMAGE,
            ];
            let page =
                shell.docker(&[&run[..], &["wget", "-q", "-O", "-", "http://web/"]].concat());
            assert_eq!(page, "hello from web");
        }
        let all = recorder.recorded();
        let requests: Vec<_> = all.iter().map(|(_, request)| request.as_str()).collect();
        assert_eq!(requests, ["GET http://web/"; 5]);
        running.stop().await;
    });
}

#[test]
fn every_network_mode_is_intercepted() {
    on_each_engine(async |lab| {
        let recorder = Recorder::new().await;
        let running = intercepted(&lab, &recorder).await;
        let shell = running.shell(&lab);
        let net = shell.network("net", &[]);
        shell.serve_page("web", &["--network", &net, "--network-alias", "web"]);
        shell.serve_page("bridged", &[]);
        let address = |container: &str| lab.address(container);
        let (web, bridged) = (address("web"), address("bridged"));
        let like = format!("container:{}", lab.own("web"));
        for (mode, target) in [
            (net.as_str(), "web"),
            ("bridge", &bridged),
            ("host", &web),
            (&like, "web"),
        ] {
            let before = recorder.recorded().len();
            let label = format!("test={}", lab.name);
            let url = format!("http://{target}/");
            let run = [
                "run",
                "--rm",
                "--label",
                &label,
                "--network",
                mode,
                IMAGE,
                "wget",
                "-q",
                "-O",
                "-",
                &url,
            ];
            let page = shell.docker(&run);
            assert!(page.starts_with("hello from"), "{mode}: {page}");
            let (_, request) = recorder.recorded().remove(before);
            assert!(request.starts_with("GET http://"), "{mode}: {request}");
        }
        running.stop().await;
    });
}

#[test]
fn containers_live_on_when_dockline_has_gone_and_are_intercepted_when_it_is_back() {
    on_each_engine(async |lab| {
        let recorder = Recorder::new().await;
        let running = intercepted(&lab, &recorder).await;
        let shell = running.shell(&lab);
        let net = shell.network("net", &[]);
        shell.serve_page("web", &["--network", &net, "--network-alias", "web"]);
        shell.start("client", &["--network", &net], &["sleep", "1000"]);
        let fetch = || {
            lab.docker(&[
                "exec",
                &lab.own("client"),
                "wget",
                "-q",
                "-O",
                "-",
                "http://web/",
            ])
        };
        assert_eq!(fetch(), "hello from web");
        assert_eq!(recorder.recorded().len(), 1);
        let left = running.stop().await;
        assert_eq!(left.map(|left| left.injected), Some(2));
        assert_eq!(fetch(), "hello from web");
        assert_eq!(recorder.recorded().len(), 1);
        let running = intercepted(&lab, &recorder).await;
        assert_eq!(fetch(), "hello from web");
        assert_eq!(recorder.recorded().len(), 2);
        running.stop().await;
    });
}

/// Both containers of a network have been told to stop, so that nobody is left there: by way of the API proxy the tunnel stays
/// for what they still have to say, where it has long left the network of one that was told directly.
#[test]
fn a_container_that_is_being_stopped_reaches_its_neighbour_for_the_last_time() {
    on_each_engine(async |lab| {
        let recorder = Recorder::new().await;
        let running = intercepted(&lab, &recorder).await;
        let shell = running.shell(&lab);
        let (net, aside) = (shell.network("net", &[]), shell.network("aside", &[]));
        shell.serve_page("web", &["--network", &net, "--network-alias", "web"]);
        shell.start("other", &["--network", &aside], &["sleep", "1000"]);
        let script = "trap 'echo told; while [ ! -e /go ]; do sleep 0.1; done; wget -q -O - http://web/last; \
                      wget -q -O - http://web/; exit 7' TERM; while :; do sleep 0.1; done";
        shell.start("client", &["--network", &net], &["sh", "-c", script]);
        running.joined(&[&net, &aside]).await;
        let client = lab.own("client");
        let mut stop = shell.command(&docker_cli());
        let stop = stop.args(["stop", "-t", "60", &client]);
        let mut stop = stop.stdout(Stdio::null()).spawn().unwrap();
        let said = || lab.docker(&["logs", &client]);
        eventually("the signal", async || said().contains("told").then_some(())).await;
        // Process 1 heeds no signal that it does not handle.
        shell.docker(&["kill", "-s", "TERM", &lab.own("web")]);
        lab.docker(&["kill", "-s", "TERM", &lab.own("other")]);
        let networks = async || {
            let networks = running.status().await.tunnel.networks;
            networks.into_iter().map(|n| n.name).collect::<Vec<_>>()
        };
        eventually("the tunnel to leave", async || {
            (!networks().await.contains(&aside)).then_some(())
        })
        .await;
        lab.docker(&["exec", &client, "touch", "/go"]);
        assert!(stop.wait().unwrap().success());
        assert!(said().contains("hello from web"), "{}", said());
        let format = "{{.State.ExitCode}}";
        assert_eq!(lab.docker(&["inspect", "-f", format, &client]), "7");
        let expected = ["GET http://web/last", "GET http://web/"];
        assert_eq!(
            recorder.recorded(),
            expected.map(|request| ("client".to_owned(), request.to_owned()))
        );
        shell.docker(&["rm", "-f", &lab.own("web")]);
        shell.docker(&["network", "rm", &net]);
        eventually("the tunnel to leave", async || {
            (!networks().await.contains(&net)).then_some(())
        })
        .await;
        running.stop().await;
    });
}
