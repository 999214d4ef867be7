//! Names of the world as seen from containers with DNS servers and search domains of their own.

use super::*;

const OWN: &str = "
    net a 172.20.0.0/16
    net b internal 172.21.0.0/16
    net c 172.22.0.0/16
    run plain watched id=aa01 a=172.20.0.2
    run own watched id=aa02 a=172.20.0.3 dns=172.20.0.53
    run two watched id=aa03 a=172.20.0.4 dns=172.20.0.54 dns=172.20.0.53
    run dead watched id=aa04 a=172.20.0.5 dns=172.20.0.54
    run mute watched id=aa05 a=172.20.0.6 dns=172.20.0.55
    run corp watched id=aa06 a=172.20.0.7 dns=172.20.0.53 search=example.com
    run first watched id=aa07 a=172.20.0.8 c=172.22.0.8 dns=172.20.0.53 search=example.com ndots=2 alias=c:www alias=c:nosuch
    run far watched id=aa08 a=172.20.0.9 dns=172.21.0.53
    run shut watched id=aa09 b=172.21.0.3 dns=172.21.0.53
    run closed watched id=aa10 b=172.21.0.4";

/// Leads to `server` for the one at 172.20.0.53; the one at .55 takes connections and says nothing.
fn tunnel_to(server: SocketAddr, silent: SocketAddr) -> Dial {
    Arc::new(move |targets| {
        Box::pin(async move {
            let address = match targets[0].address.to_string().as_str() {
                "172.20.0.53:53" | "172.21.0.53:53" => server,
                "172.20.0.55:53" => silent,
                "172.20.0.54:53" => return Err(io::ErrorKind::ConnectionRefused.into()),
                other => panic!("{other} is out of reach"),
            };
            TcpStream::connect(address).await
        })
    })
}

#[tokio::test]
async fn a_containers_own_servers_are_asked_through_the_tunnel() {
    let (own, system) = (Upstream::start(false), Upstream::start(false));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let tunnel = tunnel_to(own.address, silent.local_addr().unwrap());
    let service = Service::with_tunnel(OWN, system.policy(), tunnel);
    check(&service, "
        empty.example.com.plain.scope.dockline.  A     ok | soa(0)
        www.Example.com.own.scope.dockline.      A     ok | www.Example.com.own.scope.dockline. 300 CNAME cdn.example.net. | cdn.example.net. 60 A 192.0.2.80
        www.example.com.own.scope.dockline.      AAAA  ok | www.example.com.own.scope.dockline. 300 CNAME cdn.example.net. | soa(900)
        nosuch.example.com.own.scope.dockline.   A     nxdomain | soa(0)
        www.example.com.two.scope.dockline.      A     ok | www.example.com.two.scope.dockline. 300 CNAME cdn.example.net. | cdn.example.net. 60 A 192.0.2.80
        www.example.com.dead.scope.dockline.     A     nxdomain | soa(0)
        www.example.com.mute.scope.dockline.     A     nxdomain | soa(0)
        www.example.com.far.scope.dockline.      A     nxdomain | soa(0)
        www.example.com.shut.scope.dockline.     A     ok | www.example.com.shut.scope.dockline. 300 CNAME cdn.example.net. | cdn.example.net. 60 A 192.0.2.80
        www.example.com.closed.scope.dockline.   A     nxdomain | soa(0)
        fails.example.com.own.scope.dockline.    A     nxdomain | soa(0)").await;
    let ours: Vec<_> = system.asked();
    assert!(
        ours.iter().all(|one| one.starts_with("empty.")),
        "the system's servers were asked {ours:?}"
    );
    assert!(own.asked().contains(&"www.Example.com. A".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn search_domains_are_followed_for_containers_that_have_some() {
    let own = Upstream::start(false);
    let tunnel = tunnel_to(own.address, own.address);
    let service = Service::with_tunnel(OWN, own.policy(), tunnel);
    check(&service, "
        www.corp.scope.dockline.    A     ok | www.corp.scope.dockline. 300 CNAME cdn.example.net. | cdn.example.net. 60 A 192.0.2.80
        www.corp.scope.dockline.    MX    ok | www.corp.scope.dockline. 300 CNAME cdn.example.net. | soa(900)
        absent.corp.scope.dockline. A     nxdomain | soa(0)
        corp.corp.scope.dockline.   A     ok | aa | corp.corp.scope.dockline. 0 A 172.20.0.7
        www.first.scope.dockline.   A     ok | www.first.scope.dockline. 300 CNAME cdn.example.net. | cdn.example.net. 60 A 192.0.2.80
        nosuch.first.scope.dockline. A    ok | aa | nosuch.first.scope.dockline. 0 A 172.22.0.8
        nosuch.first.scope.dockline. AAAA ok | aa | soa(0)
        absent.own.scope.dockline.  A     nxdomain | aa | soa(0)").await;
    let asked = own.asked();
    assert!(
        asked.contains(&"nosuch.example.com. A".to_owned()),
        "{asked:?}"
    );
    assert!(asked.iter().all(|one| one.contains(".com. ")), "{asked:?}");
    service.stop().await;
}

#[tokio::test]
async fn nobody_is_asked_if_names_are_not_forwarded() {
    let own = Upstream::start(false);
    let tunnel = tunnel_to(own.address, own.address);
    let service = Service::with_tunnel(OWN, ForwardPolicy::None, tunnel);
    let rows = "www.example.com.own.scope.dockline. A nxdomain | soa(0)";
    check(&service, rows).await;
    assert_eq!(own.asked(), Vec::<String>::new());
    service.stop().await;
}
