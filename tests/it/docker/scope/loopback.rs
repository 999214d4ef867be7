//! Loopback and the engine's machine, as a container means them.

use std::process::Command;

use super::fetch_for;
use crate::support::{Lab, eventually, on_each_engine};

#[test]
fn loopback_of_a_container_is_the_container() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &["--ipv6", "--subnet", "fd00:d0c:9::/64"]);
        let watched = lab.watched();
        let fixed = ["--label", &watched, "--network", &net];
        lab.serve_page("web", &fixed);
        let shy = "exec httpd -f -p 127.0.0.1:80 -h /";
        lab.start("shy", &fixed, &["sh", "-c", shy]);
        lab.start(
            "alone",
            &["--label", &watched, "--network", "none"],
            &["sleep", "600"],
        );
        let running = lab.service().await;
        running.joined(&[&net]).await;
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            let page = fetch_for(&lab, &running, "web", &format!("http://{host}/"));
            assert_eq!(page, "hello from web", "{host}");
        }
        let web = lab.own("web");
        let six = running.route("::1", Some(&web)).await;
        assert!(
            six.address.unwrap().starts_with("[fd00:d0c:9:"),
            "{}",
            six.reason
        );
        let other = running.fetch("http", &format!("http://localhost.{web}.scope.dockline/"));
        assert_eq!(other, "hello from web");
        for (container, words) in [
            ("shy", "listens on loopback only"),
            ("alone", "on no network"),
        ] {
            let page = fetch_for(&lab, &running, container, "http://127.0.0.1/");
            assert!(page.contains(words), "{container}: {page}");
        }
        running.stop().await;
    });
}

#[test]
fn loopback_in_host_mode_is_the_engines_machine() {
    on_each_engine(async |lab| {
        let watched = lab.watched();
        let net = lab.network("net", &[]);
        lab.serve_page("web", &["--label", &watched, "--network", &net]);
        let options = ["--label", &watched, "--network", "host"];
        let page = format!("hello from {}", lab.own("onhost"));
        lab.start(
            "onhost",
            &options,
            &["sh", "-c", &serve_somewhere("127.0.0.1:", &page)],
        );
        let running = lab.service().await;
        running.joined(&[&net]).await;
        eventually("reached, or refused with the reason", async || {
            let url = format!("http://127.0.0.1:{}/", port_of(&lab, "onhost"));
            // The engine's machine is this one if what listens there is heard here.
            let heard = Command::new("curl")
                .args(["-sS", "--noproxy", "*", "--max-time", "5", &url])
                .output()
                .unwrap();
            let engine_is_here = String::from_utf8_lossy(&heard.stdout).trim() == page;
            let found = fetch_for(&lab, &running, "onhost", &url);
            let expected = if engine_is_here {
                found == page
            } else {
                found.contains("engine's machine")
            };
            if expected { Ok(()) } else { Err(found) }
        })
        .await;
        running.stop().await;
    });
}

/// A shell's words that serve `page` on the first port that is free.
fn serve_somewhere(address: &str, page: &str) -> String {
    format!(
        "echo {page} > /index.html
        for port in $(seq 20000 20100); do
            echo $port > /port
            httpd -f -h / -p {address}$port
        done"
    )
}

/// The port where that is tried now.
fn port_of(lab: &Lab, container: &str) -> String {
    lab.docker(&["exec", &lab.own(container), "sh", "-c", "echo $(cat /port)"])
}

#[test]
fn the_engines_machine_is_what_the_hosts_file_says() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let watched = lab.watched();
        let add_host = "host.docker.internal:host-gateway";
        let options = [
            "--label",
            &watched,
            "--network",
            &net,
            "--add-host",
            add_host,
        ];
        lab.serve_page("web", &options);
        let serve = serve_somewhere("", "hello from the machine");
        lab.start("machine", &["--network", "host"], &["sh", "-c", &serve]);
        let running = lab.service().await;
        running.joined(&[&net]).await;
        let file = lab.docker(&["exec", &lab.own("web"), "cat", "/etc/hosts"]);
        let line = file
            .lines()
            .find(|line| line.contains("host.docker.internal"));
        let expected = line.unwrap().split_whitespace().next().unwrap();
        let found = running
            .resolve("host.docker.internal", Some(&lab.own("web")))
            .await;
        assert_eq!(found.addresses[0].to_string(), expected);
        eventually("served", async || {
            let port = port_of(&lab, "machine");
            let url = format!("http://host.docker.internal:{port}/");
            let page = fetch_for(&lab, &running, "web", &url);
            if page == "hello from the machine" {
                Ok(())
            } else {
                Err(page)
            }
        })
        .await;
        running.stop().await;
    });
}
