//! SOCKS5, as clients speak it.

use std::time::Duration;

use super::peer::Peer;
use super::rig::Rig;
use crate::gateway::{Config, Deadlines, Password};

const NO_LOGIN: &[u8] = &[0x05, 0x01, 0x00];

fn login(user: &str, password: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    let mut message = vec![0x01, length(user)];
    message.extend(user.as_bytes());
    message.push(length(password));
    message.extend(password.as_bytes());
    message
}

fn by_name(name: &str, port: u16) -> Vec<u8> {
    let mut request = vec![0x05, 0x01, 0x00, 0x03, u8::try_from(name.len()).unwrap()];
    request.extend(name.as_bytes());
    request.extend(port.to_be_bytes());
    request
}

fn by_address(address: &str, port: u16) -> Vec<u8> {
    let mut request = vec![0x05, 0x01, 0x00];
    match address.parse().unwrap() {
        std::net::IpAddr::V4(v4) => {
            request.push(0x01);
            request.extend(v4.octets());
        }
        std::net::IpAddr::V6(v6) => {
            request.push(0x04);
            request.extend(v6.octets());
        }
    }
    request.extend(port.to_be_bytes());
    request
}

/// Sends a request after the greeting; answers the reply's code.
async fn ask(client: &mut Peer, request: &[u8]) -> u8 {
    client.say(request).await;
    let reply = client.hear_bytes(10).await;
    assert_eq!((reply[0], reply[2], reply[3]), (0x05, 0x00, 0x01));
    if reply[1] == 0 {
        assert_eq!(reply[4..8], [127, 0, 0, 1], "the real local address");
        assert_ne!(reply[8..10], [0, 0]);
    }
    reply[1]
}

/// Greets without a login and asks.
async fn asked(rig: &Rig, request: &[u8]) -> (Peer, u8) {
    let mut client = rig.client().await;
    client.say(NO_LOGIN).await;
    client.hear([0x05, 0x00]).await;
    let code = ask(&mut client, request).await;
    (client, code)
}

/// Greets with a user name, offering to go without, and asks.
async fn asked_as(rig: &Rig, user: &str, password: &str, request: &[u8]) -> u8 {
    let mut client = rig.client().await;
    client.say([0x05, 0x02, 0x00, 0x02]).await;
    client.hear([0x05, 0x02]).await;
    client.say(login(user, password)).await;
    client.hear([0x01, 0x00]).await;
    ask(&mut client, request).await
}

#[tokio::test]
async fn reaches_containers_by_name_and_by_both_kinds_of_address() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:8080").await;
    let web6 = rig.container("[fd00:231::2]:8080").await;
    for (request, server) in [
        (by_name("web", 8080), &web),
        (by_name("WEB.shop.", 8080), &web),
        (by_name("10.231.1.2", 8080), &web),
        (by_name("[fd00:231::2]", 8080), &web6),
        (by_address("10.231.1.2", 8080), &web),
        (by_address("::ffff:10.231.1.2", 8080), &web),
        (by_address("fd00:231::2", 8080), &web6),
    ] {
        let (mut client, code) = asked(&rig, &request).await;
        assert_eq!(code, 0, "{request:?}");
        let mut container = server.accept().await;
        client.say("ping").await;
        container.hear("ping").await;
        container.say("pong").await;
        client.hear("pong").await;
        assert_eq!(rig.connections.list()[0].1.via, "tunnel");
        drop((client, container));
    }
}

#[tokio::test]
async fn what_is_sent_with_the_request_is_not_lost() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:8080").await;
    let mut client = rig.client().await;
    let mut flight = NO_LOGIN.to_vec();
    flight.extend(by_name("web", 8080));
    flight.extend(b"early");
    client.say(flight).await;
    let mut container = web.accept().await;
    container.hear("early").await;
    container.say("answer").await;
    client.hear([0x05, 0x00]).await;
    client.hear_bytes(10).await;
    client.hear("answer").await;
}

#[tokio::test]
async fn a_byte_at_a_time_is_enough() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:8080").await;
    let mut client = rig.client().await;
    client.spell([0x05, 0x01, 0x02]).await;
    client.hear([0x05, 0x02]).await;
    client.spell(login("web", "any")).await;
    client.hear([0x01, 0x00]).await;
    client.spell(by_name("web", 8080)).await;
    assert_eq!(client.hear_bytes(10).await[1], 0);
    client.spell("ping").await;
    web.accept().await.hear("ping").await;
}

#[tokio::test]
async fn the_user_name_is_the_hint() {
    let rig = Rig::new().await;
    let _web = rig.container("10.231.1.2:80").await;
    let _cell = rig.container("10.231.4.2:80").await;
    for (user, name, code) in [
        ("web", "web", 0x00),
        ("db", "web.shop", 0x00),
        ("10.231.1.3:55555", "web.shop", 0x00),
        ("cell", "cell", 0x00),
        // From inside `cell` there is no such name, and no way to its address.
        ("cell", "web", 0x04),
        ("10.231.4.2", "10.231.1.2", 0x02),
        ("web", "10.231.4.2", 0x02),
        // Nobody is known by these, so they see everything.
        ("stranger-to-all", "cell", 0x00),
        ("", "cell", 0x00),
    ] {
        for password in ["", "any"] {
            let got = asked_as(&rig, user, password, &by_name(name, 80)).await;
            assert_eq!(got, code, "{user:?} to {name}");
        }
    }
}

#[tokio::test]
async fn a_password_must_be_the_right_one() {
    let rig = Rig::with(Config {
        password: Some(Password::new("s3cr!t")),
        ..Config::default()
    })
    .await;
    let _web = rig.container("10.231.1.2:80").await;
    assert_eq!(
        asked_as(&rig, "web", "s3cr!t", &by_name("web", 80)).await,
        0
    );

    let mut client = rig.client().await;
    client.say([0x05, 0x01, 0x02]).await;
    client.hear([0x05, 0x02]).await;
    client.say(login("web", "wrong")).await;
    client.hear([0x01, 0x01]).await;
    client.hear_end().await;

    let mut client = rig.client().await;
    client.say(NO_LOGIN).await;
    client.hear([0x05, 0xFF]).await;
    client.hear_end().await;
}

#[tokio::test]
async fn each_failure_has_its_code() {
    let rig = Rig::new().await;
    rig.reply("10.231.1.2:1", 0x04);
    rig.reply("10.231.1.2:2", 0x03);
    rig.reply("10.231.1.2:3", 0x06);
    rig.reply("10.231.1.2:4", 0x99);
    let gateway = rig.address.port();
    for (request, code) in [
        (by_name("web.shop", 9), 0x05),
        (by_name("web.shop", 1), 0x04),
        (by_name("web.shop", 2), 0x03),
        (by_name("web.shop", 3), 0x06),
        (by_name("web.shop", 4), 0x01),
        (by_name("nobody", 80), 0x04),
        (by_address("10.231.3.2", 80), 0x02),
        (by_name("localhost", gateway), 0x02),
        (by_address("127.0.0.1", gateway), 0x02),
        (by_address("0.0.0.0", gateway), 0x02),
        // BIND, UDP ASSOCIATE, and an address of no known type.
        (vec![0x05, 0x02, 0x00, 0x01, 127, 0, 0, 1, 0, 80], 0x07),
        (vec![0x05, 0x03, 0x00, 0x01, 127, 0, 0, 1, 0, 80], 0x07),
        (vec![0x05, 0x01, 0x00, 0x09, 127, 0, 0, 1, 0, 80], 0x08),
    ] {
        let (mut client, got) = asked(&rig, &request).await;
        assert_eq!(got, code, "{request:?}");
        client.hear_end().await;
    }
    assert!(rig.connections.is_empty());
}

#[tokio::test]
async fn each_direction_ends_for_itself() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let (mut client, _) = asked(&rig, &by_name("web", 80)).await;
    let mut container = web.accept().await;
    client.say("question").await;
    client.finish().await;
    container.hear("question").await;
    container.hear_end().await;
    container.say("answer").await;
    container.finish().await;
    client.hear("answer").await;
    client.hear_end().await;

    let (mut client, _) = asked(&rig, &by_name("web", 80)).await;
    let mut container = web.accept().await;
    container.finish().await;
    client.hear_end().await;
    client.say("still here").await;
    container.hear("still here").await;
}

#[tokio::test]
async fn what_was_cut_off_does_not_look_complete() {
    let rig = Rig::new().await;
    let server = super::peer::Server::new().await;
    let local = by_address("127.0.0.1", server.address().port());
    let (mut client, code) = asked(&rig, &local).await;
    assert_eq!(code, 0);
    let mut target = server.accept().await;
    target.say("half").await;
    client.hear("half").await;
    target.0.set_zero_linger().unwrap();
    drop(target);
    client.hear_reset().await;
}

#[tokio::test]
async fn whatever_else_comes_is_shown_the_door() {
    let rig = Rig::with(Config {
        deadlines: Deadlines {
            first_byte: Duration::from_millis(50),
            handshake: Duration::from_millis(50),
            ..Deadlines::default()
        },
        ..Config::default()
    })
    .await;
    let mut socks4 = rig.client().await;
    socks4.say(b"\x04\x01\x00\x50\x0a\xe7\x01\x02web\0").await;
    socks4.hear([0x00, 0x5B, 0, 0, 0, 0, 0, 0]).await;
    socks4.hear_end().await;

    let mut tls = rig.client().await;
    tls.say([0x16]).await;
    tls.hear_nothing().await;

    let mut silent = rig.client().await;
    silent.hear_end().await;

    let mut slow = rig.client().await;
    slow.say([0x05]).await;
    slow.hear_end().await;
}
