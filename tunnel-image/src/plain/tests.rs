//! What the entry says of itself, without dockline.

use hyper::header::LOCATION;
use hyper::{StatusCode, Uri};

use super::{forwarding, http, network_of, reply};

#[test]
fn an_engine_that_asks_here_for_what_is_elsewhere_is_sent_there() {
    for (target, expected) in [
        (
            "/.dockline/fetch/https/a.test:444/x?y",
            Some("https://a.test:444/x?y"),
        ),
        ("/.dockline/fetch/ftp/a.test/", None),
        ("/", None),
        // Whoever asks a proxy asks for that very URL.
        ("http://b.test/.dockline/fetch/http/a.test/", None),
    ] {
        let uri = Uri::from_static(target);
        let found = http::elsewhere(&uri);
        assert_eq!(found.as_deref(), expected, "{target}");
        let Some(url) = found else { continue };
        let answer = reply::elsewhere(&url).unwrap();
        assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(answer.headers()[LOCATION], url);
    }
}

#[test]
fn a_network_is_what_follows_the_tunnels_name() {
    for (found, network) in [
        ("tunnel-x.shop.", Some("shop")),
        ("tunnel-x.shop.of.ours", Some("shop.of.ours")),
        ("tunnel-x_0123abcd.shop.of.ours.", Some("shop.of.ours")),
        ("tunnel-x_next", Some("")),
        ("tunnel-x", Some("")),
        ("localhost.", None),
    ] {
        assert_eq!(network_of("tunnel-x", found), network, "{found}");
    }
}

#[test]
fn what_no_host_can_be_called_is_asked_of_nobody() {
    let too_long = || Err(reply::Refusal::too_long());
    for (length, fits) in [
        (forwarding::LONGEST_HOST, true),
        (256, false),
        (60_000, false),
    ] {
        let host = "a".repeat(length);
        let expected = |port| {
            if fits {
                Ok((host.clone(), port))
            } else {
                too_long()
            }
        };
        let connect = format!("{host}:443").parse().unwrap();
        assert_eq!(http::connect_target(&connect), expected(443), "{length}");
        let absolute = format!("http://{host}/").parse().unwrap();
        assert_eq!(http::target(&absolute), expected(80), "{length}");
    }
}
