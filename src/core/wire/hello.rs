//! How two that share a secret find out that they do.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Changes when what is not known cannot be skipped any more.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 8] = *b"dockline";

/// By which the tunnel tells the link's connections from those of SOCKS.
pub const FIRST_BYTE: u8 = MAGIC[0];

/// Bytes in the first message of a connection.
pub const HELLO: usize = MAGIC.len() + 1 + 32;

/// Bytes in the answer to it.
pub const CHALLENGE: usize = 1 + 32 + 32;

/// What each side adds once to what is proved, so that no proof can be used twice.
pub type Nonce = [u8; 32];

/// The instance's secret.
pub type Key = [u8; 32];

/// Shows that somebody knows the key.
pub type Proof = [u8; 32];

/// Why an answer to a hello is not our tunnel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// It knows another secret, or none.
    #[error("something else answers there")]
    Unknown,
    /// It knows the secret and speaks another version.
    #[error("the tunnel there speaks version {0} of the link, and this dockline version {VERSION}")]
    Version(u8),
}

/// The first message of a connection.
pub fn hello(nonce: &Nonce) -> Vec<u8> {
    [&MAGIC[..], &[VERSION], nonce].concat()
}

/// The version and nonce in a hello, if it is one.
pub fn read_hello(bytes: &[u8; HELLO]) -> Option<(u8, Nonce)> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (version, nonce) = rest.split_first()?;
    Some((*version, nonce.try_into().ok()?))
}

/// The answer to a hello of a tunnel that speaks that version.
pub fn challenge(version: u8, key: &Key, client: &Nonce, server: &Nonce) -> Vec<u8> {
    let proof = mac(Prover::Server, key, client, server).finalize();
    [&[version][..], server, &proof.into_bytes()].concat()
}

/// Checks the tunnel's answer and makes the proof that it waits for.
pub fn meet(key: &Key, client: &Nonce, challenge: &[u8; CHALLENGE]) -> Result<Proof, Stranger> {
    let (version, rest) = (challenge[0], &challenge[1..]);
    let (server, proof) = rest.split_at(32);
    let server: Nonce = server.try_into().map_err(|_| Stranger::Unknown)?;
    let expected = mac(Prover::Server, key, client, &server);
    expected
        .verify_slice(proof)
        .map_err(|_| Stranger::Unknown)?;
    if version != VERSION {
        return Err(Stranger::Version(version));
    }
    Ok(mac(Prover::Client, key, client, &server)
        .finalize()
        .into_bytes()
        .into())
}

/// Whether dockline has proved that it knows the key, in a time that does not tell how much of the proof is right.
pub fn is_met(key: &Key, client: &Nonce, server: &Nonce, proof: &Proof) -> bool {
    mac(Prover::Client, key, client, server)
        .verify_slice(proof)
        .is_ok()
}

#[derive(Clone, Copy)]
enum Prover {
    Server,
    Client,
}

fn mac(prover: Prover, key: &Key, client: &Nonce, server: &Nonce) -> Hmac<Sha256> {
    let context: &[u8] = match prover {
        Prover::Server => b"dockline link v1 server",
        Prover::Client => b"dockline link v1 client",
    };
    // A block is longer than the key, so the key goes in as HMAC's definition has it: padded with zeros.
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    Hmac::<Sha256>::new(&block.into())
        .chain_update(context)
        .chain_update(client)
        .chain_update(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [7; 32];
    const CLIENT: Nonce = [0xaa; 32];
    const SERVER: Nonce = [0xbb; 32];

    fn answer(key: &Key) -> [u8; CHALLENGE] {
        challenge(VERSION, key, &CLIENT, &SERVER)
            .try_into()
            .unwrap()
    }

    #[test]
    fn a_hello_carries_version_and_nonce() {
        let bytes: [u8; HELLO] = hello(&CLIENT).try_into().unwrap();
        assert_eq!(bytes[0], FIRST_BYTE);
        assert_eq!(read_hello(&bytes), Some((VERSION, CLIENT)));
        assert_eq!(read_hello(&[5; HELLO]), None);
    }

    #[test]
    fn both_sides_meet_if_they_share_the_key() {
        let proof = meet(&KEY, &CLIENT, &answer(&KEY)).unwrap();
        assert!(is_met(&KEY, &CLIENT, &SERVER, &proof));
        assert!(!is_met(&[8; 32], &CLIENT, &SERVER, &proof));
        assert!(!is_met(&KEY, &SERVER, &CLIENT, &proof));
        assert_eq!(
            meet(&[8; 32], &CLIENT, &answer(&KEY)),
            Err(Stranger::Unknown)
        );
        assert_eq!(meet(&KEY, &SERVER, &answer(&KEY)), Err(Stranger::Unknown));
    }

    #[test]
    fn the_tunnels_own_proof_sent_back_proves_nothing() {
        let server_proof: Proof = answer(&KEY)[33..].try_into().unwrap();
        assert!(!is_met(&KEY, &CLIENT, &SERVER, &server_proof));
    }

    #[test]
    fn another_version_is_told_apart_from_a_stranger() {
        let mut newer = answer(&KEY);
        newer[0] = VERSION + 1;
        assert_eq!(
            meet(&KEY, &CLIENT, &newer),
            Err(Stranger::Version(VERSION + 1))
        );
    }

    /// Computed with another implementation: Python's `hmac.new(bytes(range(32)), …, "sha256")`.
    #[test]
    fn proofs_are_the_hmac_that_the_protocol_names() {
        let key: Key = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let bytes: [u8; CHALLENGE] = challenge(VERSION, &key, &CLIENT, &SERVER)
            .try_into()
            .unwrap();
        let digits = |text: &str| -> Vec<u8> {
            let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
            pairs
                .map(|pair| u8::from_str_radix(pair, 16).unwrap())
                .collect()
        };
        let server = "b3a2026990727f4386cac92cd41f4839e67d88be48f2aba9c89bef53aadbc7b0";
        assert_eq!(bytes[33..], digits(server));
        let client = "a90b6743a9cb8cd0a93a8140a651c9849496045661abe79f342d9bcfb5b604b1";
        assert_eq!(meet(&key, &CLIENT, &bytes).unwrap()[..], digits(client));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_taken_for_a_proof(bytes in proptest::collection::vec(proptest::num::u8::ANY, CHALLENGE)) {
            let bytes: [u8; CHALLENGE] = bytes.try_into().unwrap();
            proptest::prop_assert_eq!(meet(&KEY, &CLIENT, &bytes), Err(Stranger::Unknown));
        }
    }
}
