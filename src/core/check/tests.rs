use super::*;

fn setup() -> Setup {
    Setup {
        interceptor: "127.0.0.1:8080".to_owned(),
        gateway: "127.0.0.1:1090".to_owned(),
        upstream: "SET IT".to_owned(),
        intercepting: true,
        link: ("up".to_owned(), None),
        caller: "probe".to_owned(),
        tunnel: vec!["10.1.0.254".parse().unwrap()],
        ca: Some("ca.pem".to_owned()),
        ..Setup::default()
    }
}

fn hop(by_caller: bool, from: &str, via: &str) -> Hop {
    Hop {
        by_caller,
        from: (!from.is_empty()).then(|| from.to_owned()),
        via: via.to_owned(),
        since: 2 * SOON,
    }
}

const SOON: Duration = Duration::from_millis(3);

/// A request that went all the way.
fn whole() -> Round {
    Round {
        began: SOON,
        entry: Some(Ok(("10.1.0.254:8790".to_owned(), SOON))),
        hops: vec![hop(true, "probe", "interceptor"), hop(false, "", "tunnel")],
        refused: Vec::new(),
        reached: Some(("10.1.0.254".parse().unwrap(), SOON)),
        answer: Some((200, true, String::new(), SOON)),
    }
}

fn own_answer(status: u16, text: &str) -> (u16, bool, String, Duration) {
    (status, false, text.to_owned(), SOON)
}

/// Judges, and expects the last leg to be `leg`, with these words in it.
fn check(setup: &Setup, round: &Round, leg: Leg, failed: bool, words: &[&str]) {
    let verdicts = judge(setup, round);
    let last = verdicts.last().unwrap();
    assert_eq!((last.leg, last.remedy.is_some()), (leg, failed), "{last:?}");
    let text = format!(
        "{} {}",
        last.what,
        last.remedy.as_deref().unwrap_or_default()
    );
    for word in words {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    let before = &verdicts[..verdicts.len() - 1];
    assert!(before.iter().all(|verdict| verdict.remedy.is_none()));
}

#[test]
fn a_request_that_went_all_the_way() {
    check(&setup(), &whole(), Leg::Answer, false, &["200"]);
    let built_in = Setup {
        kind: Kind::BuiltIn,
        ..setup()
    };
    let round = Round {
        hops: vec![hop(true, "probe", "tunnel")],
        ..whole()
    };
    check(&built_in, &round, Leg::Answer, false, &["200"]);
}

#[test]
fn where_it_was_lost_and_what_to_do() {
    let (good, round) = (setup(), whole());
    let silent = Round {
        entry: Some(Err("Refused".to_owned())),
        ..Round::default()
    };
    check(
        &good,
        &silent,
        Leg::Entry,
        true,
        &["Refused", "dockline status"],
    );

    let plain = Round {
        hops: Vec::new(),
        ..round.clone()
    };
    check(
        &good,
        &plain,
        Leg::Link,
        true,
        &["served the request by itself"],
    );
    let paused = Setup {
        intercepting: false,
        ..setup()
    };
    check(
        &paused,
        &plain,
        Leg::Link,
        true,
        &["paused", "dockline resume"],
    );
    let busy = Setup {
        link: ("busy".to_owned(), Some("process 7".to_owned())),
        ..setup()
    };
    check(&busy, &plain, Leg::Link, true, &["process 7", "--instance"]);
    let stranger = Round {
        hops: vec![hop(true, "10.1.0.2@net", "interceptor")],
        ..round.clone()
    };
    check(&good, &stranger, Leg::Link, true, &["10.1.0.2@net"]);

    let away = Setup {
        kind: Kind::Away,
        ..setup()
    };
    let without = Round {
        hops: vec![hop(true, "probe", "tunnel")],
        ..round
    };
    check(
        &away,
        &without,
        Leg::Interceptor,
        true,
        &["nothing answers at 127.0.0.1:8080", "start the interceptor"],
    );
    check(&good, &without, Leg::Interceptor, true, &["--pass-through"]);
}

#[test]
fn an_interceptor_without_upstream_is_told_how() {
    let good = setup();
    let alone = Round {
        hops: vec![hop(true, "probe", "interceptor")],
        reached: None,
        answer: Some(own_answer(502, "no such host")),
        ..whole()
    };
    check(
        &good,
        &alone,
        Leg::Gateway,
        true,
        &[
            "does not use 127.0.0.1:1090",
            "502",
            "no such host",
            "SET IT",
        ],
    );
    // Where this host reaches containers by itself.
    let past = Round {
        reached: Some(("10.1.0.1".parse().unwrap(), SOON)),
        answer: whole().answer,
        ..alone.clone()
    };
    check(
        &good,
        &past,
        Leg::Gateway,
        true,
        &["by itself, from 10.1.0.1", "SET IT"],
    );
    let locked = Round {
        answer: Some(own_answer(407, "")),
        ..alone.clone()
    };
    check(
        &good,
        &locked,
        Leg::Gateway,
        true,
        &["--gateway-password", "SET IT"],
    );
    let guarded = Setup {
        protected: true,
        ..setup()
    };
    check(&guarded, &alone, Leg::Gateway, true, &["gives no password"]);
}

#[test]
fn a_hint_counts_and_so_does_what_the_gateway_could_not() {
    let round = Round {
        hops: vec![
            hop(true, "probe", "interceptor"),
            hop(false, "probe", "tunnel"),
        ],
        ..whole()
    };
    let verdicts = judge(&setup(), &round);
    assert!(
        verdicts[3].what.contains("on behalf of probe"),
        "{verdicts:?}"
    );
    let refused = Round {
        hops: vec![hop(true, "probe", "interceptor")],
        refused: vec![(false, "no route".to_owned())],
        reached: None,
        answer: Some(own_answer(502, "sorry")),
        ..whole()
    };
    check(&setup(), &refused, Leg::Container, true, &["no route"]);
    let changed = Round {
        answer: Some(own_answer(418, "teapot")),
        ..whole()
    };
    check(&setup(), &changed, Leg::Answer, true, &["418", "teapot"]);
}

#[test]
fn whose_certificate_it_is() {
    let unsigned = Round {
        answer: Some(own_answer(502, "certificate verify failed")),
        ..whole()
    };
    let other = Shown::Other {
        issuer: "CN=other".to_owned(),
        reason: "unknown issuer".to_owned(),
    };
    let no_ca = Setup {
        ca: None,
        ..setup()
    };
    let alone = Round {
        hops: vec![hop(true, "probe", "interceptor")],
        reached: None,
        ..unsigned.clone()
    };
    for (setup, round, shown, fails, word) in [
        (
            &setup(),
            &whole(),
            &Shown::Trusted,
            false,
            "signed by the authority",
        ),
        (&setup(), &unsigned, &Shown::Trusted, false, "is right"),
        (&setup(), &whole(), &other, true, "CN=other"),
        (&no_ca, &whole(), &other, false, "CN=other"),
        (&setup(), &whole(), &Shown::Origins, true, "not opened"),
        (&setup(), &alone, &Shown::Trusted, true, "upstream"),
        (
            &setup(),
            &whole(),
            &Shown::None("alert".to_owned()),
            true,
            "alert",
        ),
    ] {
        let verdict = tls(setup, round, shown);
        assert_eq!(verdict.remedy.is_some(), fails, "{verdict:?}");
        assert!(verdict.what.contains(word), "{verdict:?}");
    }
}
