//! The door for other parts of dockline: connections in a caller's scope.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::peer::soon;
use super::rig::Rig;
use super::world;
use crate::core::caller::Caller;
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::route::{Destination, Host};
use crate::core::sample::id;

fn web() -> Caller {
    Caller {
        address: "127.0.0.1:4000".parse().unwrap(),
        scope: Scope::Container(id("web")),
    }
}

fn to(host: &str, port: u16) -> Destination {
    let host = Host::from(host);
    Destination { host, port }
}

#[tokio::test]
async fn opens_connections_that_last_as_long_as_the_way_does() {
    let rig = Rig::new().await;
    let server = rig.container("10.231.1.2:80").await;
    let opened = rig.door.open(web(), to("10.231.1.2", 80), true);
    let mut opened = soon("a connection", opened).await.unwrap();
    let mut far = server.accept().await;
    far.say("hello").await;
    let mut heard = [0; 5];
    soon("hello", opened.stream.read_exact(&mut heard))
        .await
        .unwrap();
    opened.stream.write_all(b"!").await.unwrap();
    assert!(opened.lease.holds());
    assert_eq!(rig.connections.len(), 1);
    rig.map.send_replace(Arc::new(NetworkMap::default()));
    assert!(!opened.lease.holds(), "nobody is there any more");
    rig.map.send_replace(Arc::new(world::map()));
    assert!(opened.lease.holds());
    drop(opened);
    assert_eq!(rig.connections.len(), 0);
}

#[tokio::test]
async fn refuses_in_words_and_by_status() {
    let mut rig = Rig::new().await;
    let refused = soon("an answer", rig.door.open(web(), to("nobody", 80), true));
    let refused = refused.await.unwrap_err();
    assert_eq!(refused.status, 502);
    assert!(refused.reason.contains("nobody"), "{refused}");
    rig.stop.cancel();
    rig.ended().await;
    let refused = soon("an answer", rig.door.open(web(), to("nobody", 80), true));
    assert_eq!(refused.await.unwrap_err().status, 503);
}
