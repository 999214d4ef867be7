//! Handshakes of any bytes, in any pieces.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::gateway::Password;

/// What becomes of a client: where it wants to go and its hint, what it heard, and what was not read.
type Outcome = (Option<(String, Option<String>)>, Vec<u8>, Vec<u8>);

/// Serves a client that sends these pieces, one after the other, and then nothing more.
async fn shake(pieces: &[&[u8]], password: Option<&Password>) -> Outcome {
    let (client, mut server) = duplex(1 << 16);
    let (mut heard_by, mut say) = tokio::io::split(client);
    let talk = async {
        for piece in pieces {
            say.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        say.shutdown().await.unwrap();
    };
    let serve = async {
        let asked = async {
            let (authenticated, hint) = login::authenticate(&mut server, password).await?;
            let (_, command, target) = authenticated.read_command().await?;
            Ok::<_, SocksServerError>((format!("{command:?} {target}"), hint))
        };
        let asked = asked.await.ok();
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        drop(server);
        (asked, rest)
    };
    let hear = async {
        let mut heard = Vec::new();
        heard_by.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let ((), (asked, rest), heard) = tokio::join!(talk, serve, hear);
    (asked, heard, rest)
}

/// By address of either family, by name, by none, and a command that is not served.
const REQUESTS: [&[u8]; 4] = [
    &[5, 1, 0, 1, 10, 0, 0, 1, 0, 80],
    b"\x05\x01\x00\x03\x03web\x00\x50",
    b"\x05\x01\x00\x03\x00\x00\x50",
    &[
        5, 2, 0, 4, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 187,
    ],
];

/// Without and with user name and password, both offered, nothing offered, something unknown.
const GREETINGS: [&[u8]; 5] = [
    &[5, 1, 0],
    &[5, 2, 0, 2, 1, 1, b'u', 1, b'p'],
    &[5, 1, 2, 1, 0, 0],
    &[5, 0],
    &[5, 1, 0x81],
];

/// A handshake as it should be, with some of its bytes changed and more behind it; or bytes without any sense.
fn handshake() -> impl Strategy<Value = Vec<u8>> {
    let request = prop::sample::select(&REQUESTS[..]);
    let greeting = prop::sample::select(&GREETINGS[..]);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let sound = (
        greeting,
        request,
        prop::collection::vec(any::<u8>(), 0..8),
        changes,
    )
        .prop_map(|(greeting, request, more, changes)| {
            let mut bytes = [greeting, request, &more].concat();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        });
    prop_oneof![4 => sound, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

proptest! {
    #[test]
    fn how_a_handshake_is_cut_does_not_matter(
        bytes in handshake(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        with_password in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let password = with_password.then(|| Password::new("p"));
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let single: Vec<_> = bytes.chunks(1).collect();
        runtime.block_on(async {
            let whole = shake(&[&bytes], password.as_ref()).await;
            prop_assert_eq!(&shake(&pieces, password.as_ref()).await, &whole);
            prop_assert_eq!(&shake(&single, password.as_ref()).await, &whole);
            Ok(())
        })?;
    }
}
