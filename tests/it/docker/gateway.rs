//! Through the gateway into containers, with curl for an interceptor.

use crate::support::{Running, curl, eventually, on_each_engine};

#[test]
fn pages_of_containers_by_every_road() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &["--ipv6", "--subnet", "fd00:d0c:2::/64"]);
        let inner = lab.network("inner", &["--internal"]);
        let running = lab.service().await;
        lab.watched_page("web", &net);
        lab.watched_page("vault", &inner);
        eventually("both known", async || {
            (running.status().await.containers.len() == 2).then_some(())
        })
        .await;
        for scheme in ["http", "socks5h"] {
            assert_eq!(
                running.fetch(scheme, "http://web/"),
                "hello from web",
                "{scheme}"
            );
            assert_eq!(
                running.fetch(scheme, "http://vault/"),
                "hello from vault",
                "{scheme}"
            );
            assert_eq!(
                running.fetch(scheme, &format!("http://web.{net}/")),
                "hello from web"
            );
            let v4 = running.addresses("vault").await.remove(0);
            assert_eq!(
                running.fetch(scheme, &format!("http://{v4}/")),
                "hello from vault"
            );
            let both = running.addresses("web").await;
            let v6 = both.iter().find(|a| a.contains(':')).unwrap();
            assert_eq!(
                running.fetch(scheme, &format!("http://[{v6}]/")),
                "hello from web"
            );
        }
        let tunnelled = curl(&format!("http://{}", running.gateway))
            .args(["--proxytunnel", "http://web/"])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&tunnelled.stdout).trim(),
            "hello from web"
        );
        running.stop().await;
    });
}

#[test]
fn the_first_request_does_not_lose_the_race_with_the_join() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let running = lab.service().await;
        running.joined(&[]).await;
        lab.watched_page("web", &net);
        eventually("known", async || {
            (!running.addresses("web").await.is_empty()).then_some(())
        })
        .await;
        assert_eq!(running.fetch("http", "http://web/"), "hello from web");
        running.stop().await;
    });
}

#[test]
fn a_hint_chooses_among_containers_of_one_name() {
    on_each_engine(async |lab| {
        let watched = lab.watched();
        for name in ["one", "two"] {
            let net = lab.network(name, &[]);
            lab.serve_page(
                name,
                &[
                    "--label",
                    &watched,
                    "--network",
                    &net,
                    "--network-alias",
                    "api",
                ],
            );
        }
        let running = lab.service().await;
        for name in ["one", "two"] {
            let page = format!("hello from {name}");
            let hint = format!("Dockline-Client: {}", lab.own(name));
            assert_eq!(
                with_hint(&running, &["--proxy-header", &hint, "-H", &hint]),
                page
            );
            let proxy = format!("socks5h://{}:x@{}", lab.own(name), running.gateway);
            assert_eq!(with_hint(&running, &["--proxy", &proxy]), page);
        }
        running.stop().await;
    });
}

fn with_hint(running: &Running, options: &[&str]) -> String {
    let output = curl(&format!("http://{}", running.gateway))
        .args(options)
        .arg("http://api/")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn what_cannot_be_reached_is_explained() {
    on_each_engine(async |lab| {
        let (net, far) = (lab.network("net", &[]), lab.network("far", &[]));
        lab.watched_page("web", &net);
        lab.serve_page("far", &["--network", &far]);
        let running = lab.service().await;
        let address = lab.address("far");
        for (host, via) in [
            ("web", "tunnel"),
            ("localhost", "host"),
            ("host.docker.internal", "host"),
            ("example.com", "direct"),
            (address.as_str(), "refused"),
        ] {
            assert_eq!(running.route(host, None).await.via, via, "{host}");
        }
        for (url, status, word) in [
            (format!("http://{address}/"), "403", "no watched container"),
            ("http://nothing/".to_owned(), "502", "\"nothing\""),
            ("http://web:81/".to_owned(), "502", "refused"),
            (
                format!("http://{}/", running.gateway),
                "508",
                "dockline itself",
            ),
            (
                format!("http://{}/", running.http),
                "508",
                "dockline itself",
            ),
        ] {
            let page = running.fetch("http", &url).to_lowercase();
            assert!(page.contains(word), "{url}: {page}");
            let code = curl(&format!("http://{}", running.gateway))
                .args(["-o", "/dev/null", "-w", "%{http_code}", &url])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&code.stdout), status, "{url}");
        }
        running.stop().await;
    });
}

#[test]
fn a_container_on_the_default_bridge_is_reached_by_its_address() {
    on_each_engine(async |lab| {
        lab.serve_page("web", &["--label", &lab.watched()]);
        let running = lab.service().await;
        running.joined(&["bridge"]).await;
        let address = lab.address("web");
        assert_eq!(
            running.fetch("http", &format!("http://{address}/")),
            "hello from web"
        );
        running.stop().await;
    });
}
