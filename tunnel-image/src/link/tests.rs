use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::names::Names;
use crate::socks::Socks;
use crate::wire::hello::{CHALLENGE, VERSION, hello, meet};
use crate::wire::{Key, Nonce};

const KEY: Key = [0xab; 32];

/// A tunnel's home port.
struct Rig {
    link: Arc<Link>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Rig {
    async fn new() -> Self {
        Self::with(2).await
    }

    async fn with(most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let link = Arc::new(Link::new(most, VERSION));
        let socks = Arc::new(Socks {
            secret: "ab".repeat(32).parse().unwrap(),
            names: Arc::new(Names::from_file("/nonexistent")),
            link: Arc::clone(&link),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let socks = Arc::clone(&socks);
                open.spawn(async move { socks.serve(client).await });
            }
        });
        Self {
            link,
            address,
            _tasks: tasks,
        }
    }

    /// A connection with that wish, and what the tunnel says to it.
    async fn open(&self, wish: Message) -> (TcpStream, Message) {
        let mut stream = self.meet(&KEY).await.unwrap();
        stream.write_all(&wish.encode()).await.unwrap();
        let answer = talk::read(&mut stream).await.unwrap();
        (stream, answer)
    }

    async fn meet(&self, key: &Key) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await?;
        let nonce: Nonce = [1; 32];
        stream.write_all(&hello(&nonce)).await?;
        let mut challenge = [0; CHALLENGE];
        stream.read_exact(&mut challenge).await?;
        let proof = meet(&KEY, &nonce, &challenge).unwrap();
        // Of somebody who knows another secret.
        let proof = if *key == KEY { proof } else { [0; 32] };
        stream.write_all(&proof).await?;
        Ok(stream)
    }

    /// Owns the tunnel, and wants callers.
    async fn own(&self) -> (TcpStream, Session) {
        let owner = "me".to_owned();
        let (mut control, answer) = self.open(Message::Control { owner }).await;
        let Message::Granted { session, .. } = answer else {
            panic!("{answer:?}");
        };
        intercept(&mut control, true).await;
        until(|| self.link.state().ownership.as_ref().unwrap().intercepting).await;
        (control, session)
    }

    async fn park(&self, session: Session) -> TcpStream {
        let (stream, answer) = self.open(Message::Stream { session }).await;
        assert!(matches!(answer, Message::Granted { .. }), "{answer:?}");
        stream
    }

    fn parked(&self) -> usize {
        let state = self.link.state();
        state.ownership.as_ref().map_or(0, |o| o.parked.len())
    }

    async fn hand_on(&self) -> Option<HandedOn> {
        self.link
            .hand_on(address("10.0.0.2:1"), address("10.0.0.254:8790"))
            .await
    }
}

async fn intercept(control: &mut TcpStream, intercepting: bool) {
    let settings = Message::Settings {
        intercepting,
        internal_egress: true,
    };
    control.write_all(&settings.encode()).await.unwrap();
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

/// Takes the caller that comes by a parked stream.
async fn take(stream: &mut TcpStream) -> Message {
    let caller = talk::read(stream).await.unwrap();
    stream.write_all(&Message::Taken.encode()).await.unwrap();
    caller
}

async fn next_wish(control: &mut TcpStream) -> u16 {
    loop {
        if let Message::Want { streams } = talk::read(control).await.unwrap() {
            return streams;
        }
    }
}

/// A caller's connection: its own end, and the entry's.
async fn caller() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn whoever_does_not_know_the_secret_is_told_nothing() {
    let rig = Rig::new().await;
    let mut stream = rig.meet(&[0; 32]).await.unwrap();
    let _ = stream.write_all(&Message::Probe.encode()).await;
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    assert_eq!(heard, []);
}

#[tokio::test]
async fn one_owner_at_a_time() {
    let rig = Rig::new().await;
    let probe = async || match rig.open(Message::Probe).await.1 {
        Message::Granted { owner, .. } => owner,
        other => panic!("{other:?}"),
    };
    assert_eq!(probe().await, None);
    let (control, _) = rig.own().await;
    assert_eq!(probe().await.as_deref(), Some("me"));
    let owner = "you".to_owned();
    let (_, answer) = rig
        .open(Message::Control {
            owner: owner.clone(),
        })
        .await;
    assert_eq!(
        answer,
        Message::Busy {
            owner: "me".to_owned()
        }
    );
    drop(control);
    until(|| rig.link.state().ownership.is_none()).await;
    assert!(rig.link.internal_egress(), "the last owner's word holds");
    let (_, answer) = rig.open(Message::Control { owner }).await;
    assert!(matches!(answer, Message::Granted { .. }));
}

#[tokio::test]
async fn a_caller_goes_on_by_a_parked_stream() {
    let rig = Rig::new().await;
    let (_control, session) = rig.own().await;
    let mut stream = rig.park(session).await;
    until(|| rig.parked() == 1).await;
    let (way, announced) = tokio::join!(rig.hand_on(), take(&mut stream));
    let expected = Message::Caller {
        caller: address("10.0.0.2:1"),
        local: address("10.0.0.254:8790"),
    };
    assert_eq!(announced, expected);
    let (mut client, entry) = caller().await;
    let ((), ()) = tokio::join!(way.unwrap().carry(entry), async {
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "question");
        stream.write_all(b"answer").await.unwrap();
        drop(stream);
        heard.clear();
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "answer");
    });
}

#[tokio::test]
async fn more_streams_are_asked_for_when_none_is_left() {
    let rig = Rig::new().await;
    let (mut control, session) = rig.own().await;
    let (way, wish) = tokio::join!(rig.hand_on(), async {
        let wish = next_wish(&mut control).await;
        take(&mut rig.park(session).await).await;
        wish
    });
    assert!(way.is_some());
    assert_eq!(wish, 1);
}

#[tokio::test]
async fn nobody_waits_for_an_owner_that_is_not_there_or_does_not_want_callers() {
    let rig = Rig::new().await;
    assert!(rig.hand_on().await.is_none());
    let (mut control, session) = rig.own().await;
    let _stream = rig.park(session).await;
    intercept(&mut control, false).await;
    until(|| !rig.link.state().ownership.as_ref().unwrap().intercepting).await;
    assert!(rig.hand_on().await.is_none());
}

#[tokio::test]
async fn a_caller_waits_a_second_at_most_for_an_owner_that_does_not_stir() {
    let rig = Rig::new().await;
    let (_control, session) = rig.own().await;
    let _stream = rig.park(session).await;
    until(|| rig.parked() == 1).await;
    let start = Instant::now();
    assert!(rig.hand_on().await.is_none());
    assert!(start.elapsed() >= TAKING);
}

#[tokio::test]
async fn those_who_wait_hear_when_the_owner_leaves() {
    let rig = Rig::new().await;
    let (mut control, _) = rig.own().await;
    let start = Instant::now();
    let (way, ()) = tokio::join!(rig.hand_on(), async {
        next_wish(&mut control).await;
        drop(control);
    });
    assert!(way.is_none());
    assert!(start.elapsed() < TAKING);
}

#[tokio::test]
async fn streams_without_use_are_refused() {
    let rig = Rig::with(1).await;
    let stray = Message::Stream { session: [9; 16] };
    assert_eq!(rig.open(stray.clone()).await.1, Message::Refused);
    let (_control, session) = rig.own().await;
    assert_eq!(rig.open(stray).await.1, Message::Refused);
    let _stream = rig.park(session).await;
    until(|| rig.parked() == 1).await;
    let (_, answer) = rig.open(Message::Stream { session }).await;
    assert_eq!(answer, Message::Refused, "there is no room");
    assert_eq!(rig.open(Message::Taken).await.1, Message::Refused);
}

#[tokio::test]
async fn a_stream_that_died_is_passed_over() {
    let rig = Rig::new().await;
    let (_control, session) = rig.own().await;
    let dead = rig.park(session).await;
    until(|| rig.parked() == 1).await;
    let mut live = rig.park(session).await;
    until(|| rig.parked() == 2).await;
    drop(dead);
    let (way, _) = tokio::join!(rig.hand_on(), take(&mut live));
    assert!(way.is_some());
}

/// Hands a caller on, lets the owner end so, and answers what the caller hears.
async fn after(last_words: &[u8]) -> io::Result<String> {
    let rig = Rig::new().await;
    let (mut control, session) = rig.own().await;
    let mut stream = rig.park(session).await;
    let (way, _) = tokio::join!(rig.hand_on(), take(&mut stream));
    let (mut client, entry) = caller().await;
    let mut carrying = JoinSet::new();
    carrying.spawn(way.unwrap().carry(entry));
    control.write_all(last_words).await.unwrap();
    drop(control);
    until(|| rig.link.state().ownership.is_none()).await;
    // What was cut off is cut off by now; else the owner finishes what it has begun.
    while timeout(Duration::from_millis(20), carrying.join_next())
        .await
        .is_err()
    {
        stream.write_all(b"end").await?;
        stream.shutdown().await?;
        client.shutdown().await?;
    }
    let mut heard = String::new();
    client.read_to_string(&mut heard).await?;
    Ok(heard)
}

#[tokio::test]
async fn a_dead_owner_cuts_off_what_it_was_handed() {
    let error = after(b"").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_owner_that_said_good_bye_finishes() {
    assert_eq!(after(&Message::Farewell.encode()).await.unwrap(), "end");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever comes after a hello, in whatever role: the tunnel answers or hangs up, and the next owner gets it.
    #[test]
    fn no_bytes_keep_the_next_owner_out(
        role in 0_usize..4,
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let rig = Rig::new().await;
            let mut stream = rig.meet(&KEY).await.unwrap();
            let wishes = [
                Vec::new(),
                Message::Control { owner: "x".to_owned() }.encode(),
                Message::Stream { session: [0; 16] }.encode(),
                Message::Probe.encode(),
            ];
            let _ = stream.write_all(&[&wishes[role][..], &bytes].concat()).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
            until(|| rig.link.state().ownership.is_none()).await;
            rig.own().await;
        });
    }
}
