//! Trust stores in PKCS #12 (RFC 7292), as Java reads them.
//!
//! Written is the form that the JDK itself ships its own store in since version 18: no password, neither encrypted nor
//! signed, which Java has read since version 8. Certificates are no secret, the file cannot be written to, and the same
//! certificates make the same bytes.

use p12_keystore::Pkcs12Archive;

use super::Certificates;

/// What stores are encrypted with by convention.
const PASSWORDS: [&str; 3] = ["changeit", "", "changeme"];

// Object identifiers, encoded.
const DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01];
const CERT_BAG: &[u8] = &[
    0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x0A, 0x01, 0x03,
];
const X509: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x16, 0x01];
/// Oracle's `trustedKeyUsage`: without it Java takes a certificate for a key's.
const TRUSTED: &[u8] = &[
    0x60, 0x86, 0x48, 0x01, 0x86, 0xF9, 0x66, 0xAD, 0xCA, 0x7B, 0x01, 0x01,
];
/// `anyExtendedKeyUsage`.
const ANYTHING: &[u8] = &[0x55, 0x1D, 0x25, 0x00];

// Tags of DER (X.690).
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXPLICIT: u8 = 0xA0;

/// The certificates that a store trusts; nothing if it is none, or if its password is not a usual one.
pub(super) fn certificates(store: &[u8]) -> Option<Vec<Vec<u8>>> {
    let opened = PASSWORDS.iter();
    let mut opened = opened.filter_map(|word| Pkcs12Archive::from_pkcs12(store, word).ok());
    let bags = opened.next()?.certs.into_iter();
    let trusted = bags.filter(|bag| bag.trusted);
    Some(trusted.map(|bag| bag.cert.as_der().to_vec()).collect())
}

/// A store of certificates that are all trusted.
pub(super) fn store(certificates: &Certificates) -> Vec<u8> {
    let bags: Vec<_> = certificates.iter().map(bag).collect();
    let safe = data(&value(SEQUENCE, &bags));
    let safes = data(&value(SEQUENCE, &[safe]));
    let version = value(INTEGER, &[vec![3]]);
    value(SEQUENCE, &[version, safes])
}

/// `ContentInfo` of data.
fn data(content: &[u8]) -> Vec<u8> {
    let octets = value(OCTETS, &[content.to_vec()]);
    value(SEQUENCE, &[object(DATA), value(EXPLICIT, &[octets])])
}

fn bag(certificate: &[u8]) -> Vec<u8> {
    let octets = value(OCTETS, &[certificate.to_vec()]);
    let content = value(SEQUENCE, &[object(X509), value(EXPLICIT, &[octets])]);
    let usage = value(SET, &[object(ANYTHING)]);
    let trusted = value(SEQUENCE, &[object(TRUSTED), usage]);
    let parts = [
        object(CERT_BAG),
        value(EXPLICIT, &[content]),
        value(SET, &[trusted]),
    ];
    value(SEQUENCE, &parts)
}

fn object(identifier: &[u8]) -> Vec<u8> {
    value(OBJECT, &[identifier.to_vec()])
}

/// One value, of parts that are encoded already.
fn value(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let length: usize = parts.iter().map(Vec::len).sum();
    let mut encoded = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => encoded.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let first = bytes.iter().position(|byte| *byte != 0).unwrap_or_default();
            let digits = bytes.get(first..).unwrap_or_default();
            // Eight at most.
            encoded.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            encoded.extend_from_slice(digits);
        }
    }
    encoded.extend(parts.iter().flatten());
    encoded
}
