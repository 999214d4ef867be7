//! Names as containers see them, asked for by everybody who cannot be one of them.

mod loopback;

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::RecordType;

use crate::support::dns::{ask, data};
use crate::support::{Lab, Running, curl, eventually, on_each_engine};

/// Two networks with an `api` each, and a `web` on both. Answers the names of the networks.
async fn two_apis(lab: &Lab, running: &Running) -> [String; 2] {
    let networks = ["one", "two"].map(|name| lab.network(name, &[]));
    let watched = lab.watched();
    for (name, net) in ["first", "second"].iter().zip(&networks) {
        let options = [
            "--label",
            &watched,
            "--network",
            net,
            "--network-alias",
            "api",
        ];
        lab.serve_page(name, &options);
    }
    lab.serve_page("web", &["--label", &watched, "--network", &networks[0]]);
    lab.docker(&["network", "connect", &networks[1], &lab.own("web")]);
    eventually("all known", async || {
        let found = running.resolve("api", None).await;
        let web = running.addresses(&lab.own("web")).await;
        (found.addresses.len() == 2 && web.len() == 2).then_some(())
    })
    .await;
    networks
}

/// What the container's own resolver says.
pub(super) fn asked_inside(lab: &Lab, container: &str, name: &str) -> String {
    let found = lab.docker(&["exec", &lab.own(container), "nslookup", name]);
    let answer = found.split("Name:").nth(1).unwrap_or_default();
    let address = answer.lines().find_map(|line| line.split_once(": "));
    let (_, address) = address.unwrap_or_else(|| panic!("{found}"));
    address.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn dns_answers_as_a_container_is_answered() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let [one, two] = two_apis(&lab, &running).await;
        for (container, name) in [
            ("first", "api"),
            ("second", "api"),
            ("web", "api"),
            ("web", &format!("api.{two}")),
            ("web", &lab.own("second")),
        ] {
            let expected = asked_inside(&lab, container, name);
            let container = lab.own(container);
            let found = ask(
                &running,
                &format!("{name}.{container}.scope.dockline."),
                RecordType::A,
            );
            let expected = std::slice::from_ref(&expected);
            assert_eq!(data(&found), expected, "{name} from {container}");
            assert!(found.metadata.authoritative);
            assert_eq!(found.answers[0].ttl, 0);
            let id = lab.docker(&["inspect", "-f", "{{.Id}}", &container])[..12].to_uppercase();
            let found = ask(
                &running,
                &format!("{name}.{id}.Scope.Dockline."),
                RecordType::A,
            );
            assert_eq!(data(&found), expected);
        }
        let (web, first) = (lab.own("web"), lab.own("first"));
        let code = |name: &str, record_type| {
            let answer = ask(&running, name, record_type);
            assert!(answer.answers.is_empty(), "{name}");
            assert_eq!(answer.authorities[0].record_type(), RecordType::SOA);
            answer.metadata.response_code
        };
        for (name, record_type, expected) in [
            (
                format!("api.{web}"),
                RecordType::AAAA,
                ResponseCode::NoError,
            ),
            (web.clone(), RecordType::A, ResponseCode::NoError),
            (
                format!("api.{two}.{first}"),
                RecordType::A,
                ResponseCode::NXDomain,
            ),
            (
                format!("nothing.{web}"),
                RecordType::A,
                ResponseCode::NXDomain,
            ),
            (
                "api.nobody".to_owned(),
                RecordType::A,
                ResponseCode::NXDomain,
            ),
            (
                format!("api.{}", &web[..4]),
                RecordType::A,
                ResponseCode::NXDomain,
            ),
        ] {
            let name = format!("{name}.scope.dockline.");
            assert_eq!(code(&name, record_type), expected, "{name}");
        }
        assert_eq!(
            code(&format!("x.{one}.dockline."), RecordType::A),
            ResponseCode::NXDomain
        );
        let page = running.fetch(
            "socks5h",
            &format!("http://api.{}.scope.dockline/", lab.own("second")),
        );
        assert_eq!(page, "hello from second");
        running.stop().await;
    });
}

#[test]
fn what_lost_and_what_is_ambiguous_is_told() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let [one, two] = two_apis(&lab, &running).await;
        let found = running.resolve("api", None).await;
        assert!(found.ambiguous, "{found:?}");
        assert_eq!(found.networks, [one.clone(), two.clone()]);
        let hint = found.hint.unwrap();
        assert!(
            hint.contains(&format!("api.{one}")) && hint.contains("--from"),
            "{hint}"
        );
        let listed = running.status().await.ambiguous;
        let listed: Vec<_> = listed
            .iter()
            .map(|a| (a.name.as_str(), &a.networks))
            .collect();
        assert_eq!(listed, [("api", &vec![one.clone(), two.clone()])]);

        let picked = running.resolve(&format!("api.{two}"), None).await;
        assert_eq!((picked.addresses.len(), picked.ambiguous), (1, false));
        let web = lab.own("web");
        let found = running.resolve("api", Some(&web)).await;
        assert!(!found.ambiguous);
        let lost = &picked.addresses[0];
        let expected =
            format!("name api on {one} (first by network order); lost: name api on {two} {lost}");
        assert_eq!(found.why, Some(expected.clone()));
        let candidates: Vec<_> = found
            .candidates
            .iter()
            .map(|c| (c.won, c.containers.clone()))
            .collect();
        assert_eq!(
            candidates,
            [
                (true, vec![lab.own("first")]),
                (false, vec![lab.own("second")])
            ]
        );
        let route = running.route("api", Some(&web)).await;
        assert_eq!((route.network, route.why), (Some(one), Some(expected)));
        running.stop().await;
    });
}

#[test]
fn replicas_of_a_service_are_not_ambiguous() {
    on_each_engine(async |lab| {
        let (one, two) = (lab.network("one", &[]), lab.network("two", &[]));
        let running = lab.service().await;
        let watched = lab.watched();
        for (name, net) in [("first", &one), ("second", &two)] {
            let labels = [
                "com.docker.compose.project=p",
                "com.docker.compose.service=api",
            ];
            let options = [
                "--label",
                &watched,
                "--label",
                labels[0],
                "--label",
                labels[1],
                "--network",
                net,
                "--network-alias",
                "api",
            ];
            lab.serve_page(name, &options);
        }
        eventually("both known", async || {
            (running.resolve("api", None).await.addresses.len() == 2).then_some(())
        })
        .await;
        assert!(!running.resolve("api", None).await.ambiguous);
        assert!(running.status().await.ambiguous.is_empty());
        running.stop().await;
    });
}

/// Fetches a page as the interceptor would for a container; the body, refusals included.
pub(super) fn fetch_for(lab: &Lab, running: &Running, container: &str, url: &str) -> String {
    let hint = format!("Dockline-Client: {}", lab.own(container));
    let output = curl(&format!("http://{}", running.gateway))
        .args(["--proxy-header", &hint, "-H", &hint, url])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
