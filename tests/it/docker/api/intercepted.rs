//! All the way round: a container made in an intercepted shell, the entry, the interceptor, the gateway, another container.

use crate::docker::entry::intercepted;
use crate::docker::entry::recorder::Recorder;
use crate::support::{IMAGE, on_each_engine};

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
        let address = |container: &str| {
            let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
            lab.docker(&["inspect", "-f", format, &lab.own(container)])
        };
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
