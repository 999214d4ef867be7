//! Projects and labels with interceptors of their own, beside the built-in one for the rest.

use std::net::SocketAddr;

use dockline::config::{BuiltIn, Interception, Named};
use dockline::core::trust::Ca;
use dockline::gateway::Interceptor;
use dockline::interceptor::Lines;
use serde_json::Value;

use super::inside::Inside;
use super::recorder::Recorder;
use crate::support::{Lab, Running, eventually, on_each_engine};

fn pem(text: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn named(recorder: &Recorder, ca: &str) -> Named {
    let interceptor = Interceptor::at(&recorder.address().to_string()).unwrap();
    Named {
        interception: Interception::External(interceptor),
        ca: Some(pem(ca).into()),
        ca_file: None,
    }
}

/// The hash of the authority that a container was told to trust.
fn trusted(lab: &Lab, name: &str) -> String {
    let show = "{{index .Config.Labels \"dockline.ca\"}}";
    lab.docker(&["inspect", "-f", show, &lab.own(name)])
}

#[test]
fn each_project_and_label_has_its_own_interceptor_and_authority() {
    on_each_engine(async |lab| {
        let folder = tempfile::tempdir().unwrap();
        let har = folder.path().join("rest.har");
        let (shop, blog) = (Recorder::new().await, Recorder::new().await);
        let running = Running::start(&lab, |config| {
            config.interception = Interception::BuiltIn(BuiltIn {
                address: SocketAddr::from(([127, 0, 0, 1], 0)),
                authority: folder.path().join("data"),
                lines: Lines::None,
                har: Some(har.clone()),
            });
            config
                .named
                .insert("shop".to_owned(), named(&shop, "c2hvcA=="));
            config
                .named
                .insert("blog".to_owned(), named(&blog, "YmxvZw=="));
        })
        .await;
        running.ready().await;
        shop.use_gateway(running.gateway);
        blog.use_gateway(running.gateway);
        let shell = running.shell(&lab);
        let net = shell.network("net", &[]);
        let start = |name: &str, labels: &[&str]| {
            let labels: Vec<_> = labels.iter().flat_map(|label| ["--label", label]).collect();
            let on = ["--network", &net, "--network-alias", name];
            shell.start(name, &[&on[..], &labels].concat(), &["sleep", "1000"]);
        };
        let project = |name: &str| format!("com.docker.compose.project={name}");
        let (in_shop, in_blog) = (project("shop"), project("blog"));
        start("one", &[&in_shop]);
        start("two", &[&in_blog]);
        start("told", &[&in_shop, "dockline.interceptor=blog"]);
        start("alone", &[]);
        running.joined(&[&net]).await;
        let status = eventually("interceptors and link", async || {
            let status = running.status().await;
            let there = |n: &_| {
                let dockline::control::report::shape::NamedInterceptor { interceptor, .. } = n;
                interceptor.as_ref().is_some_and(|i| i.reachable)
            };
            let all = status.interceptors.len() == 2 && status.interceptors.iter().all(there);
            (all && status.tunnel.link.state == "up").then_some(status)
        })
        .await;
        let own = status.ca_sha256.unwrap();
        let hash = |text: &str| Ca::new(pem(text).into()).sha256().to_owned();
        let (shops, blogs) = (hash("c2hvcA=="), hash("YmxvZw=="));
        for (name, ca, share) in [
            ("one", &shops, Some("shop")),
            ("two", &blogs, Some("blog")),
            ("told", &blogs, Some("blog")),
            ("alone", &own, None),
        ] {
            assert_eq!(trusted(&lab, name), *ca, "{name}");
            let mut containers = status.containers.iter();
            let known = containers.find(|c| c.name == lab.own(name)).unwrap();
            assert_eq!(known.interceptor.as_deref(), share, "{name}");
            assert!(known.ca_current, "{name}");
        }
        for name in ["one", "two", "told", "alone"] {
            let Some(inside) = Inside::of(&lab, name) else {
                println!("skipped: the engine's containers cannot be entered from here");
                return;
            };
            // Nobody listens there, but it is asked for.
            inside.get(&lab, &format!("http://one:81/{name}")).await;
        }
        let what = |recorder: &Recorder| {
            let recorded = recorder.recorded().into_iter();
            recorded.map(|(_, what)| what).collect::<Vec<_>>()
        };
        assert_eq!(what(&shop), ["GET http://one:81/one"]);
        assert_eq!(
            what(&blog),
            ["GET http://one:81/two", "GET http://one:81/told"]
        );
        running.stop().await;
        let archive: Value = serde_json::from_slice(&std::fs::read(&har).unwrap()).unwrap();
        let entries = archive["log"]["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["request"]["url"], "http://one:81/alone");
    });
}
