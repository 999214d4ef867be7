//! Whose authorities count for whose origins.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::rig::{Rig, say, soon};

/// Answers one request, if the client goes as far as that.
async fn serve(listener: &TcpListener, tls: &TlsAcceptor) {
    let (stream, _) = soon("a connection", listener.accept()).await.unwrap();
    let Ok(mut stream) = soon("TLS", tls.accept(stream)).await else {
        return;
    };
    let mut request = [0; 1024];
    // The client may find out only now that it does not trust us.
    if matches!(soon("a request", stream.read(&mut request)).await, Ok(1..)) {
        say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    }
}

#[tokio::test]
async fn a_containers_own_roots_count_for_it_and_this_machines_for_this_host() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:443").await;
    let (webs, machines) = (rig.tls_server("api", &[]), rig.machines_server("api"));
    let theirs = "502 Bad Gateway|with the certificate authorities in web: add its issuer";
    let ours = "502 Bad Gateway|with this machine's certificate authorities: add its issuer";
    let unread = "502 Bad Gateway|because those of mute could not be read: the engine is away.";
    for (container, tls, expected) in [
        (Some("web"), &webs, "200 OK|"),
        (Some("web"), &machines, theirs),
        (None, &machines, "200 OK|"),
        (None, &webs, ours),
        (Some("mute"), &machines, "200 OK|"),
        (Some("mute"), &webs, unread),
    ] {
        let client = match container {
            Some(name) => rig.caller_from(name).await,
            None => rig.local().await,
        };
        let (answer, ()) = tokio::join!(rig.ask(client, "api:443"), serve(&listener, tls));
        let (status, words) = expected.split_once('|').unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{container:?}: {answer}"
        );
        assert!(answer.contains(words), "{container:?}: {answer}");
    }
}
