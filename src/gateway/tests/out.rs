//! What does not go through the tunnel: this host, and names that only a resolver knows.
//!
//! Old spellings of addresses stand for public names: core takes them for names, and every system's resolver knows them.

use super::peer::Server;
use super::rig::Rig;

#[tokio::test]
async fn loopback_is_this_host() {
    let rig = Rig::new().await;
    let server = Server::new().await;
    let port = server.address().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "host.docker.internal",
        "api.localhost",
    ] {
        let (mut client, status, text) = rig.connect(&format!("{host}:{port}"), "").await;
        assert_eq!(status, 200, "{host}: {text}");
        let mut target = server.accept().await;
        client.say("ping").await;
        target.hear("ping").await;
        assert_eq!(rig.connections.list()[0].1.via, "host");
        drop(client);
        target.hear_end().await;
    }
    drop(server);
    let (_, status, text) = rig.connect(&format!("127.0.0.1:{port}"), "").await;
    assert_eq!(status, 502);
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_public_name_is_judged_by_where_it_leads() {
    let rig = Rig::new().await;
    let server = Server::new().await;
    let web = rig.container("10.231.1.2:80").await;

    // 127.0.0.1 and 10.231.1.2.
    let (_, status, text) = rig
        .connect(&format!("127.1:{}", server.address().port()), "")
        .await;
    assert_eq!(status, 200, "{text}");
    server.accept().await;
    let (_, status, text) = rig.connect("10.231.258:80", "").await;
    assert_eq!(status, 200, "{text}");
    web.accept().await;

    // The gateway itself; 10.231.3.2; 10.231.1.2 for one that is not on that network.
    let (_, status, _) = rig
        .connect(&format!("127.1:{}", rig.address.port()), "")
        .await;
    assert_eq!(status, 508);
    let (_, status, _) = rig.connect("10.231.770:80", "").await;
    assert_eq!(status, 403);
    let (_, status, _) = rig
        .connect("10.231.258:80", "Dockline-Client: cell\r\n")
        .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn a_kept_connection_is_judged_by_where_it_leads() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    let request = "GET http://10.231.258/ HTTP/1.1\r\nHost: x\r\n\r\n";
    client.say(request).await;
    let mut container = web.accept().await;
    for _ in 0..2 {
        container.hear_head().await;
        container.say("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(client.hear_response().await.0, 204);
        client.say(request).await;
    }
    assert!(web.is_alone().await);
}
