//! What is answered: containers, addresses and what is not ours.

use super::upstream::Upstream;
use super::*;

#[tokio::test]
async fn names_of_containers() {
    let service = Service::start(SHOP, ForwardPolicy::None);
    check(&service, "
        web.                   A      ok | aa | web. 0 A 172.21.0.2 | web. 0 A 172.20.0.2
        wEb.                   A      ok | aa | wEb. 0 A 172.21.0.2 | wEb. 0 A 172.20.0.2
        web.                   AAAA   ok | aa | web. 0 AAAA fd00:a::2
        db.                    A      ok | aa | db. 0 A 172.20.0.3 | db. 0 A 172.20.0.4
        DB.Shop_default.       A      ok | aa | DB.Shop_default. 0 A 172.20.0.3 | DB.Shop_default. 0 A 172.20.0.4
        bb0100000000.          A      ok | aa | bb0100000000. 0 A 172.20.0.3
        v4.                    AAAA   ok | aa | soa(0)
        web.                   MX     ok | aa | soa(0)
        web.                   HTTPS  ok | aa | soa(0)
        web.                   ANY    ok | aa | soa(0)
        web.                   PTR    ok | aa | soa(0)
        localhost.             A      ok | aa | localhost. 0 A 127.0.0.1
        localhost.             AAAA   ok | aa | localhost. 0 AAAA ::1
        host.docker.internal.  A      ok | aa | host.docker.internal. 0 A 127.0.0.1
        nosuch.                A      nxdomain | aa | soa(0)
        nosuch.                HTTPS  nxdomain | aa | soa(0)
        web.nosuch.            A      nxdomain | soa(0)
        .                      NS     nxdomain | aa | soa(0)").await;
    service.stop().await;
}

#[tokio::test]
async fn addresses_of_containers() {
    let upstream = Upstream::start(false);
    let service = Service::start(SHOP, upstream.policy());
    let v6 = |last: u8| format!("{last}.{}a.0.0.0.0.0.d.f.ip6.arpa.", "0.".repeat(23));
    check(
        &service,
        &format!(
            "
        3.0.20.172.in-addr.arpa.     PTR  ok | aa | 3.0.20.172.in-addr.arpa. 0 PTR db1.shop_default.
        3.0.20.172.IN-ADDR.arpa.     PTR  ok | aa | 3.0.20.172.IN-ADDR.arpa. 0 PTR db1.shop_default.
        {known}                      PTR  ok | aa | {known} 0 PTR db1.shop_default.
        {unknown}                    PTR  nxdomain | aa | soa(0)
        3.0.20.172.in-addr.arpa.     A    ok | aa | soa(0)
        9.9.20.172.in-addr.arpa.     PTR  nxdomain | aa | soa(0)
        1.1.168.192.in-addr.arpa.    PTR  nxdomain | aa | soa(0)
        20.172.in-addr.arpa.         SOA  nxdomain | aa | soa(0)
        1.0.0.127.in-addr.arpa.      PTR  ok | aa | 1.0.0.127.in-addr.arpa. 0 PTR localhost.
        8.8.8.8.in-addr.arpa.        PTR  ok | 8.8.8.8.in-addr.arpa. 60 PTR dns.example.org.
        4.4.8.8.in-addr.arpa.        PTR  nxdomain | soa(900)",
            known = v6(3),
            unknown = v6(9)
        ),
    )
    .await;
    // What is local has not left the machine.
    assert!(
        upstream.asked().iter().all(|one| one.contains("8.8.")),
        "{:?}",
        upstream.asked()
    );
    service.stop().await;
}

#[tokio::test]
async fn names_of_the_world() {
    let upstream = Upstream::start(false);
    let service = Service::start(SHOP, upstream.policy());
    check(&service, "
        www.Example.com.       A      ok | www.Example.com. 300 CNAME cdn.example.net. | cdn.example.net. 60 A 192.0.2.80
        www.example.com.       AAAA   ok | www.example.com. 300 CNAME cdn.example.net. | soa(900)
        empty.example.com.     A      ok | soa(900)
        nosuch.example.com.    HTTPS  nxdomain | soa(900)
        fails.example.com.     A      nxdomain | soa(0)
        refused.example.com.   AAAA   nxdomain | soa(0)
        silent.example.com.    A      nxdomain | soa(0)
        nosuch.                A      nxdomain | aa | soa(0)
        web.shop_default.      TXT    ok | aa | soa(0)").await;
    assert!(
        upstream.asked().iter().all(|one| one.contains(".com.")),
        "{:?}",
        upstream.asked()
    );
    assert!(upstream.asked().contains(&"www.Example.com. A".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn the_next_question_sees_the_next_map() {
    let service = Service::start(SHOP, ForwardPolicy::None);
    let asked = question("new.", RecordType::A);
    for (inventory, expected) in [
        (
            "net n 10.1.0.0/16\nrun new watched n=10.1.0.2",
            "ok | aa | new. 0 A 10.1.0.2",
        ),
        (
            "net n 10.1.0.0/16\nrun new watched n=10.1.0.3",
            "ok | aa | new. 0 A 10.1.0.3",
        ),
        ("net n 10.1.0.0/16", "nxdomain | aa | soa(0)"),
    ] {
        service
            .map_tx
            .send_replace(Arc::new(sample::map(inventory)));
        assert_eq!(shown(&service.ask(&asked).await), expected);
    }
    service.stop().await;
}
