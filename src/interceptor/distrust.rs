//! Clients that do not trust the authority: each is told of once, with what to do.

use std::collections::BTreeSet;
use std::io;

use dashmap::DashMap;
use tokio_rustls::rustls::{self, AlertDescription};
use tracing::{debug, warn};

use super::Client;

/// How many clients are remembered. Containers come and go: the place of one is another's when there are more.
const CLIENTS: usize = 1_024;
/// How many hosts of one client are told of. More say nothing new of it, and nobody else has less for them.
const HOSTS: usize = 32;

/// Which clients do not trust the authority, and for which hosts.
#[derive(Debug, Default)]
pub(super) struct Distrust(DashMap<String, BTreeSet<String>>);

impl Distrust {
    /// Whether it is the first time that somebody says so.
    fn is_news(&self, who: &str, host: &str) -> bool {
        if self.0.len() >= CLIENTS && !self.0.contains_key(who) {
            let other = self.0.iter().next().map(|entry| entry.key().clone());
            other.map(|other| self.0.remove(&other));
        }
        let mut hosts = self.0.entry(who.to_owned()).or_default();
        hosts.len() < HOSTS && hosts.insert(host.to_owned())
    }
}

/// Says who was never told to trust us, and what to do; once.
pub(super) fn distrusted(client: &Client) {
    let who = client.who.name.as_str();
    if client.shared.distrust.is_news(who, "") {
        warn!(
            from = who,
            "TLS passes unopened: nobody told that container to trust dockline's CA; create it anew in an intercepted shell"
        );
    }
}

/// Says who does not trust us, and what to do; once.
pub(super) fn failed(client: &Client, name: &str, error: &io::Error) {
    let tls = error.get_ref().and_then(|e| e.downcast_ref());
    let distrusts = match tls {
        Some(rustls::Error::AlertReceived(alert)) => matches!(
            alert,
            AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::DecryptError
        ),
        // Some hang up without a word.
        _ => error.kind() == io::ErrorKind::UnexpectedEof,
    };
    let who = client.who.name.as_str();
    if distrusts && client.shared.distrust.is_news(who, name) {
        warn!(
            from = who,
            host = name,
            %error,
            "a program there does not trust dockline's CA: create its container anew in an intercepted shell, or give the program \
             the certificate that `dockline ca --pem` prints"
        );
    } else {
        debug!(from = who, host = name, %error, "a client's TLS failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_distrusts_for_everything_takes_no_word_from_another() {
        let distrust = Distrust::default();
        assert!(distrust.is_news("chatty", "host"));
        assert!(!distrust.is_news("chatty", "host"));
        let told = (0..HOSTS * 2).filter(|n| distrust.is_news("chatty", &n.to_string()));
        assert_eq!(told.count(), HOSTS - 1);
        assert!(distrust.is_news("another", "host"));
        for client in 0..CLIENTS * 2 {
            assert!(distrust.is_news(&format!("client {client}"), "host"));
            assert!(distrust.0.len() <= CLIENTS);
        }
    }
}
