//! Names and addresses follow what happens to containers.

use crate::support::{eventually, on_each_engine};

#[test]
fn names_come_and_go_with_their_containers() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let running = lab.service().await;
        assert_eq!(running.resolve("api", None).await.status, "nxdomain");
        lab.serve_page(
            "web",
            &[
                "--label",
                &lab.watched(),
                "--network",
                &net,
                "--network-alias",
                "api",
            ],
        );
        let address = lab.address("web");
        let found = eventually("resolvable", async || {
            let found = running.addresses("api").await;
            (!found.is_empty()).then_some(found)
        })
        .await;
        assert_eq!(found, std::slice::from_ref(&address));
        let id = lab.docker(&["inspect", "-f", "{{slice .Id 0 12}}", &lab.own("web")]);
        for name in [lab.own("web"), id, format!("api.{net}"), "API".to_owned()] {
            assert_eq!(
                running.addresses(&name).await,
                std::slice::from_ref(&address),
                "{name}"
            );
        }
        let reverse = running.resolve(&address, None).await;
        assert_eq!(reverse.names, [format!("{}.{net}", lab.own("web"))]);

        // Another member, unwatched: it is known because it shares the network.
        lab.serve_page("db", &["--network", &net, "--network-alias", "db"]);
        eventually("db known", async || {
            (!running.addresses("db").await.is_empty()).then_some(())
        })
        .await;
        lab.docker(&["rename", &lab.own("db"), &lab.own("store")]);
        eventually("renamed", async || {
            (!running.addresses(&lab.own("store")).await.is_empty()).then_some(())
        })
        .await;
        assert!(running.addresses(&lab.own("db")).await.is_empty());
        lab.docker(&["network", "disconnect", &net, &lab.own("store")]);
        eventually("gone", async || {
            running.addresses("db").await.is_empty().then_some(())
        })
        .await;
        lab.docker(&[
            "network",
            "connect",
            "--alias",
            "db2",
            &net,
            &lab.own("store"),
        ]);
        eventually("back", async || {
            (!running.addresses("db2").await.is_empty()).then_some(())
        })
        .await;
        lab.docker(&["rm", "-f", &lab.own("web")]);
        eventually("all gone", async || {
            running.status().await.containers.is_empty().then_some(())
        })
        .await;
        assert!(
            running.addresses("db2").await.is_empty(),
            "nobody watched is there any more"
        );
        running.stop().await;
    });
}

#[test]
fn what_was_there_before_is_known_at_once() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &["--ipv6", "--subnet", "fd00:d0c:1::/64"]);
        let v4 = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}";
        lab.watched_page("web", &net);
        lab.serve_page(
            "old",
            &[
                "--network",
                &net,
                "--link",
                &format!("{}:friend", lab.own("web")),
            ],
        );
        let running = lab.service().await;
        let both = lab.docker(&["inspect", "-f", v4, &lab.own("web")]);
        let both: Vec<_> = both.split_whitespace().map(str::to_owned).collect();
        assert_eq!(both.len(), 2, "{both:?}");
        assert_eq!(running.addresses("web").await, both);
        assert_eq!(running.addresses("friend").await, both, "a link's alias");
        assert_eq!(running.resolve("friend", None).await.source, ["link"]);
        running.stop().await;
    });
}

#[test]
fn a_scope_sees_what_its_container_sees() {
    on_each_engine(async |lab| {
        let (one, two) = (lab.network("one", &[]), lab.network("two", &[]));
        let watched = lab.watched();
        for (name, net) in [("a", &one), ("b", &two)] {
            let options = [
                "--label",
                &watched,
                "--network",
                net,
                "--network-alias",
                "db",
                "--add-host",
                "fixed:192.0.2.7",
            ];
            lab.serve_page(name, &options);
        }
        lab.start(
            "side",
            &[
                "--label",
                &watched,
                "--network",
                &format!("container:{}", lab.own("a")),
            ],
            &["sleep", "1000"],
        );
        let running = lab.service().await;
        let own = |name: &str| lab.address(name);
        let from = async |name: &str, from: &str| {
            let found = running.resolve(name, Some(&lab.own(from))).await;
            found
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(from("db", "a").await, [own("a")]);
        assert_eq!(from("db", "b").await, [own("b")]);
        assert_eq!(from("db", "side").await, [own("a")]);
        assert_eq!(from("fixed", "a").await, ["192.0.2.7"]);
        assert_eq!(from(&lab.own("b"), "a").await, Vec::<String>::new());
        assert_eq!(
            running.addresses("db").await.len(),
            2,
            "the merged view has both"
        );
        let inside = lab.docker(&["exec", &lab.own("a"), "nslookup", "db", "127.0.0.11"]);
        assert!(
            inside.contains(&own("a")),
            "Docker itself says the same: {inside}"
        );
        running.stop().await;
    });
}
