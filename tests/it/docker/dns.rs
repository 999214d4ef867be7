//! The DNS server on a real map, asked as a resolver asks.

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::RecordType;

use crate::support::dns::{ask, data};
use crate::support::{eventually, on_each_engine};

#[test]
fn names_addresses_and_the_lack_of_them() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let running = lab.service().await;
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
        let address = eventually("known", async || running.addresses("api").await.pop()).await;

        let found = ask(&running, "API.", RecordType::A);
        assert_eq!(data(&found), std::slice::from_ref(&address));
        assert_eq!(
            found.answers[0].ttl, 0,
            "an address is used again at once after its container"
        );
        assert!(found.metadata.authoritative);

        let nothing = ask(&running, "api.", RecordType::AAAA);
        assert_eq!(nothing.metadata.response_code, ResponseCode::NoError);
        assert!(nothing.answers.is_empty());
        assert_eq!(nothing.authorities[0].record_type(), RecordType::SOA);

        let unknown = ask(&running, "nothing.", RecordType::A);
        assert_eq!(unknown.metadata.response_code, ResponseCode::NXDomain);

        let octets: Vec<_> = address.split('.').rev().collect();
        let reverse = ask(
            &running,
            &format!("{}.in-addr.arpa.", octets.join(".")),
            RecordType::PTR,
        );
        assert_eq!(data(&reverse), [format!("{}.{net}.", lab.own("web"))]);
        running.stop().await;
    });
}
