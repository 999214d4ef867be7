use super::*;
use crate::core::resolve::RecordType::{A, Aaaa, Other};
use crate::core::route::Resolvers::System;
use crate::dns::tests::upstream::{Upstream, no_tunnel};

const OWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5390);

fn given(servers: &[&str]) -> ForwardPolicy {
    ForwardPolicy::Servers(servers.iter().map(|text| text.parse().unwrap()).collect())
}

fn shown(answer: &Answer) -> String {
    let addresses = answer.addresses.iter().map(ToString::to_string);
    let found: Vec<_> = addresses.chain(answer.names.iter().cloned()).collect();
    format!("{:?} {}", answer.status, found.join(" "))
}

#[test]
fn never_asks_itself() {
    let check = |own: &str, servers: &[&str], left: &[&str]| {
        let forwarder = Forwarder::new(given(servers), own.parse().unwrap(), no_tunnel());
        let left: Vec<SocketAddr> = left.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(forwarder.addresses(), left, "{own}: {servers:?}");
    };
    check(
        "127.0.0.1:53",
        &["127.0.0.1:53", "9.9.9.9:53"],
        &["9.9.9.9:53"],
    );
    check(
        "127.0.0.1:53",
        &["0.0.0.0:53", "[::ffff:127.0.0.1]:53"],
        &[],
    );
    check("[::1]:53", &["[::]:53", "127.0.0.1:53"], &["127.0.0.1:53"]);
    check("127.0.0.1:5390", &["127.0.0.1:53"], &["127.0.0.1:53"]);
}

#[tokio::test]
async fn answers_in_the_cores_words() {
    let upstream = Upstream::start(false);
    let forwarder = Forwarder::new(upstream.policy(), OWN, no_tunnel());
    for (name, wanted, expected) in [
        ("www.example.com", A, "Found 192.0.2.80"),
        ("www.example.com.", Aaaa, "NoData "),
        ("www.example.com", Other, "NoData "),
        ("empty.example.com", A, "NoData "),
        ("nosuch.example.com", A, "NotFound "),
        ("fails.example.com", A, "NotFound "),
        ("refused.example.com", A, "NotFound "),
        ("not..a.name", A, "NotFound "),
    ] {
        assert_eq!(
            shown(
                &forwarder
                    .resolve(&[name.to_owned()], &[wanted], &System)
                    .await
            ),
            expected,
            "{name} {wanted:?}"
        );
    }
    let answer = forwarder.reverse([8, 8, 8, 8].into(), &System).await;
    assert_eq!(shown(&answer), "Found dns.example.org");
    assert_eq!(answer.sources, [Source::Forwarded]);
    let nobody = Forwarder::new(ForwardPolicy::None, OWN, no_tunnel());
    assert_eq!(
        shown(
            &nobody
                .resolve(&["www.example.com".to_owned()], &[A], &System)
                .await
        ),
        "NotFound "
    );
    // Names are absolute: no search domain was tried.
    let absolute = |asked: &String| asked.contains(".com. ") || asked.contains(".arpa. ");
    assert!(
        upstream.asked().iter().all(absolute),
        "{:?}",
        upstream.asked()
    );
}

#[tokio::test]
async fn servers_are_asked_in_order_until_one_answers() {
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let failing = Upstream::start(true);
    let answering = Upstream::start(false);
    let spare = Upstream::start(false);
    let servers = [&failing, &answering, &spare].map(|server| server.address);
    let mut servers = servers.to_vec();
    servers.insert(0, silent.local_addr().unwrap());
    let policy = ForwardPolicy::Servers(servers);
    let forwarder = Forwarder::new(policy, OWN, no_tunnel()).with_deadline(Duration::from_secs(2));
    let answer = forwarder
        .resolve(&["www.example.com".to_owned()], &[A], &System)
        .await;
    assert_eq!(shown(&answer), "Found 192.0.2.80");
    assert!(!failing.asked().is_empty());
    // That there is nothing is an answer too.
    let answer = forwarder
        .resolve(&["nosuch.example.com".to_owned()], &[A], &System)
        .await;
    assert_eq!(shown(&answer), "NotFound ");
    assert_eq!(spare.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_too_much_finds_nothing_at_once() {
    let upstream = Upstream::start(false);
    let forwarder = Forwarder::new(upstream.policy(), OWN, no_tunnel());
    let all = u32::try_from(MAX_QUESTIONS).unwrap();
    let taken = forwarder.slots.try_acquire_many(all).unwrap();
    assert_eq!(
        shown(
            &forwarder
                .resolve(&["www.example.com".to_owned()], &[A], &System)
                .await
        ),
        "NotFound "
    );
    assert!(upstream.asked().is_empty());
    drop(taken);
    assert_eq!(
        shown(
            &forwarder
                .resolve(&["www.example.com".to_owned()], &[A], &System)
                .await
        ),
        "Found 192.0.2.80"
    );
}

#[tokio::test]
async fn an_answer_too_long_for_a_datagram_is_fetched_by_tcp() {
    let upstream = Upstream::start(false);
    let forwarder = Forwarder::new(upstream.policy(), OWN, no_tunnel());
    let name = "big.example.com.".parse().unwrap();
    let reply = forwarder
        .ask(&[name], RecordType::TXT, &System)
        .await
        .unwrap()
        .1;
    assert_eq!(reply.answers.len(), 20);
    assert_eq!(upstream.asked().len(), 2);
}

/// A server that is silent costs its time once, and not for each name that may be meant.
#[tokio::test]
async fn a_silent_server_does_not_keep_the_others_from_the_next_name() {
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let answering = Upstream::start(false);
    let servers = vec![silent.local_addr().unwrap(), answering.address];
    let names = ["nosuch.example.com", "www.example.com"].map(str::to_owned);
    let policy = ForwardPolicy::Servers(servers.clone());
    let forwarder = Forwarder::new(policy, OWN, no_tunnel()).with_deadline(Duration::from_secs(2));
    let answer = forwarder.resolve(&names, &[A], &System).await;
    assert_eq!(shown(&answer), "Found 192.0.2.80");
    let own = servers.into_iter().map(crate::core::route::Server::Direct);
    let own = Resolvers::Own(own.collect());
    let answer = forwarder.resolve(&names, &[A], &own).await;
    assert_eq!(shown(&answer), "Found 192.0.2.80");
}
