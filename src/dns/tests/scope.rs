//! Names that say from where they are seen.

use super::*;

#[tokio::test]
async fn names_as_a_container_sees_them() {
    let upstream = Upstream::start(false);
    let service = Service::start(SHOP, upstream.policy());
    check(&service, "
        db.web.scope.dockline.               A     ok | aa | db.web.scope.dockline. 0 A 172.20.0.3 | db.web.scope.dockline. 0 A 172.20.0.4
        DB.Web.Scope.DockLine.               AAAA  ok | aa | DB.Web.Scope.DockLine. 0 AAAA fd00:a::3 | DB.Web.Scope.DockLine. 0 AAAA fd00:a::4
        v4.AA0100000000.scope.dockline.      A     ok | aa | v4.AA0100000000.scope.dockline. 0 A 172.21.0.5
        v4.other.web.scope.dockline.         AAAA  ok | aa | soa(0)
        db.web.scope.dockline.               MX    ok | aa | soa(0)
        v4.db1.scope.dockline.               A     nxdomain | aa | soa(0)
        db.nobody.scope.dockline.            A     nxdomain | aa | soa(0)
        www.example.com.nobody.scope.dockline.  A  nxdomain | aa | soa(0)
        web.scope.dockline.                  A     ok | aa | soa(0)
        nobody.scope.dockline.               A     nxdomain | aa | soa(0)
        scope.dockline.                      A     ok | aa | soa(0)
        dockline.                            A     ok | aa | soa(0)
        x.dockline.                          A     nxdomain | aa | soa(0)
        3.0.20.172.in-addr.arpa.web.scope.dockline.  PTR  nxdomain | aa | soa(0)
        x.a\\.web.scope.dockline.              A     nxdomain | aa | soa(0)").await;
    assert_eq!(upstream.asked(), Vec::<String>::new());
    check(&service, "
        www.Example.com.web.scope.dockline.    A     ok | www.Example.com.web.scope.dockline. 300 CNAME cdn.example.net. | cdn.example.net. 60 A 192.0.2.80
        www.example.com.web.scope.dockline.    AAAA  ok | www.example.com.web.scope.dockline. 300 CNAME cdn.example.net. | soa(900)
        empty.example.com.web.scope.dockline.  A     ok | soa(0)
        no.example.com.web.scope.dockline.     A     nxdomain | soa(0)
        silent.example.com.web.scope.dockline. A     nxdomain | soa(0)").await;
    let asked = upstream.asked();
    assert!(
        asked.contains(&"www.Example.com. A".to_owned()),
        "{asked:?}"
    );
    assert!(asked.iter().all(|one| one.contains(".com. ")), "{asked:?}");
    service.stop().await;
}
