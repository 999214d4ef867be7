//! The link with a made-up tunnel at the other end, which speaks as the real one does.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;
use crate::core::resolve::Scope;
use crate::core::sample;
use crate::core::tunnel_state::Secret;
use crate::core::wire::hello::{HELLO, VERSION, challenge, is_met, read_hello};
use crate::core::wire::{Key, Nonce};

/// Nothing in these tests takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);
const SESSION: Session = [7; 16];
const KEY: Key = [0xcd; 32];

const MAP: &str = "
    net shop 10.1.0.0/24
    run dockline-tunnel-default tunnel shop=10.1.0.254
    run web watched shop=10.1.0.2
";

struct Rig {
    tunnel: TcpListener,
    map: watch::Sender<Arc<NetworkMap>>,
    intercepting: watch::Sender<bool>,
    state: watch::Receiver<LinkState>,
    arrivals: mpsc::Receiver<Arrival>,
    tunnel_state: watch::Sender<TunnelState>,
    stop: CancellationToken,
    link: JoinSet<()>,
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("hangs: {what}"))
}

impl Rig {
    async fn new() -> Self {
        let tunnel = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = TunnelState {
            stage: Stage::Running,
            socks: Some(SocksAccess {
                address: tunnel.local_addr().unwrap(),
                secret: Secret::new(&"cd".repeat(32)),
            }),
            ..TunnelState::default()
        };
        let (map, map_rx) = watch::channel(Arc::new(sample::map(MAP)));
        let (tunnel_state, tunnel_rx) = watch::channel(running);
        let (intercepting, intercepting_rx) = watch::channel(true);
        let (arrivals_tx, arrivals) = mpsc::channel(4);
        let (state_tx, state) = watch::channel(LinkState::default());
        let stop = CancellationToken::new();
        let mut link = JoinSet::new();
        let this = Link {
            builds: watch::channel(0).1,
            owner: "me".to_owned(),
            tunnel: tunnel_rx,
            map: map_rx,
            intercepting: intercepting_rx,
            internal_egress: false,
            arrivals: arrivals_tx,
            fetching: mpsc::channel(1).0,
        };
        link.spawn(this.run(state_tx, stop.clone()));
        Self {
            tunnel,
            map,
            intercepting,
            state,
            arrivals,
            tunnel_state,
            stop,
            link,
        }
    }

    /// The next connection, with what it is to be.
    async fn accept(&self) -> (TcpStream, Message) {
        let (mut stream, _) = soon("accept", self.tunnel.accept()).await.unwrap();
        let mut hello = [0; HELLO];
        stream.read_exact(&mut hello).await.unwrap();
        let (_, client) = read_hello(&hello).unwrap();
        let server: Nonce = [3; 32];
        stream
            .write_all(&challenge(VERSION, &KEY, &client, &server))
            .await
            .unwrap();
        let mut proof = [0; 32];
        stream.read_exact(&mut proof).await.unwrap();
        assert!(is_met(&KEY, &client, &server, &proof));
        let wish = hear(&mut stream).await;
        (stream, wish)
    }

    /// Grants the next connection, which must be the one to own the tunnel by.
    async fn grant(&self) -> TcpStream {
        let (mut control, wish) = self.accept().await;
        assert_eq!(
            wish,
            Message::Control {
                owner: "me".to_owned()
            }
        );
        say(&mut control, &granted()).await;
        control
    }

    /// Grants the next connection, which must be a stream.
    async fn park(&self) -> TcpStream {
        let (mut stream, wish) = self.accept().await;
        assert_eq!(wish, Message::Stream { session: SESSION });
        say(&mut stream, &granted()).await;
        stream
    }

    async fn is(&mut self, wanted: LinkState) {
        let news = self.state.wait_for(|state| *state == wanted);
        soon(&format!("{wanted:?}"), news).await.unwrap();
    }
}

fn granted() -> Message {
    Message::Granted {
        session: SESSION,
        owner: None,
    }
}

async fn say(stream: &mut TcpStream, message: &Message) {
    stream.write_all(&message.encode()).await.unwrap();
}

async fn hear(stream: &mut TcpStream) -> Message {
    soon("hear", hello::read(stream)).await.unwrap()
}

async fn hear_other_than_beats(stream: &mut TcpStream) -> Message {
    loop {
        match hear(stream).await {
            Message::Beat => {}
            other => return other,
        }
    }
}

fn settings(intercepting: bool) -> Message {
    Message::Settings {
        intercepting,
        internal_egress: false,
    }
}

fn calls(caller: &str) -> Message {
    Message::Caller {
        caller: caller.parse().unwrap(),
        local: "10.1.0.254:8790".parse().unwrap(),
    }
}

#[tokio::test]
async fn it_owns_the_tunnel_says_how_and_says_good_bye() {
    let mut rig = Rig::new().await;
    let mut control = rig.grant().await;
    assert_eq!(hear_other_than_beats(&mut control).await, settings(true));
    rig.is(LinkState::Up).await;
    rig.intercepting.send_replace(false);
    assert_eq!(hear_other_than_beats(&mut control).await, settings(false));
    rig.stop.cancel();
    assert_eq!(hear_other_than_beats(&mut control).await, Message::Farewell);
    soon("the end", rig.link.join_next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(*rig.state.borrow(), LinkState::Down);
}

#[tokio::test]
async fn a_caller_arrives_with_its_scope_and_makes_room_for_the_next() {
    let mut rig = Rig::new().await;
    let _control = rig.grant().await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(rig.park().await);
    }
    let none = timeout(Duration::from_millis(50), rig.tunnel.accept()).await;
    assert!(none.is_err(), "sixteen are enough");
    for (caller, scope) in [
        ("10.1.0.2:4000", Scope::Container(sample::id("web"))),
        ("10.1.0.1:4000", Scope::Network(sample::network_id("shop"))),
        // Not known yet, and not by then either.
        ("10.1.0.9:4000", Scope::Network(sample::network_id("shop"))),
    ] {
        let mut stream = streams.pop().unwrap();
        say(&mut stream, &calls(caller)).await;
        assert_eq!(hear(&mut stream).await, Message::Taken);
        stream.write_all(b"request").await.unwrap();
        let (mut arrived, who) = soon("arrival", rig.arrivals.recv()).await.unwrap();
        let address: SocketAddr = caller.parse().unwrap();
        assert_eq!(who, Caller { address, scope });
        let mut request = [0; 7];
        arrived.read_exact(&mut request).await.unwrap();
        assert_eq!(&request, b"request");
        streams.push(rig.park().await);
    }
}

#[tokio::test]
async fn a_container_that_has_just_been_started_is_waited_for() {
    let mut rig = Rig::new().await;
    let _control = rig.grant().await;
    let mut stream = rig.park().await;
    say(&mut stream, &calls("10.1.0.3:4000")).await;
    assert_eq!(hear(&mut stream).await, Message::Taken);
    let started = format!("{MAP}\nrun db watched shop=10.1.0.3");
    rig.map.send_replace(Arc::new(sample::map(&started)));
    let (_, who) = soon("arrival", rig.arrivals.recv()).await.unwrap();
    assert_eq!(who.scope, Scope::Container(sample::id("db")));
}

#[tokio::test]
async fn whoever_calls_from_elsewhere_is_cut_off() {
    let rig = Rig::new().await;
    let _control = rig.grant().await;
    let mut stream = rig.park().await;
    say(&mut stream, &calls("10.2.0.2:4000")).await;
    assert_eq!(hear(&mut stream).await, Message::Taken);
    let ended = soon("the end", stream.read(&mut [0])).await;
    assert!(ended.is_err(), "{ended:?}");
}

#[tokio::test]
async fn as_many_more_are_made_as_are_wanted() {
    let rig = Rig::new().await;
    let mut control = rig.grant().await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(rig.park().await);
    }
    say(&mut control, &Message::Want { streams: 40 }).await;
    for _ in 0..40 {
        streams.push(rig.park().await);
    }
    let none = timeout(Duration::from_millis(50), rig.tunnel.accept()).await;
    assert!(none.is_err());
}

#[tokio::test]
async fn another_owner_is_told_of_and_succeeded() {
    let mut rig = Rig::new().await;
    let owner = "you".to_owned();
    let (mut control, _) = rig.accept().await;
    say(
        &mut control,
        &Message::Busy {
            owner: owner.clone(),
        },
    )
    .await;
    rig.is(LinkState::Busy { owner }).await;
    let _control = rig.grant().await;
    rig.is(LinkState::Up).await;
}

#[tokio::test]
async fn a_link_that_breaks_is_made_anew() {
    let mut rig = Rig::new().await;
    drop(rig.grant().await);
    let mut connection = rig.accept().await;
    // Streams of the first may still be on their way.
    while matches!(connection.1, Message::Stream { .. }) {
        connection = rig.accept().await;
    }
    say(&mut connection.0, &granted()).await;
    rig.is(LinkState::Up).await;
}

#[tokio::test]
async fn it_ends_with_the_tunnel_and_begins_with_the_next() {
    let mut rig = Rig::new().await;
    let mut control = rig.grant().await;
    rig.is(LinkState::Up).await;
    let running = rig.tunnel_state.send_replace(TunnelState::default());
    rig.is(LinkState::Down).await;
    soon("the end", control.read_to_end(&mut Vec::new()))
        .await
        .unwrap();
    // Those that were on their way.
    while let Ok(Ok(_)) = timeout(Duration::from_millis(20), rig.tunnel.accept()).await {}
    rig.tunnel_state.send_replace(running);
    let _control = rig.grant().await;
    rig.is(LinkState::Up).await;
}

#[tokio::test]
async fn a_stranger_is_told_nothing() {
    let rig = Rig::new().await;
    let (mut stream, _) = soon("accept", rig.tunnel.accept()).await.unwrap();
    stream.read_exact(&mut [0; HELLO]).await.unwrap();
    stream.write_all(&[1; 65]).await.unwrap();
    let mut heard = Vec::new();
    let _ = soon("the end", stream.read_to_end(&mut heard)).await;
    assert!(heard.is_empty());
}
