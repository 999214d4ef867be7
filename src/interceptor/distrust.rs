//! Clients that do not trust the authority: each is told of once, with what to do.

use std::io;

use dashmap::DashSet;
use tokio_rustls::rustls::{self, AlertDescription};
use tracing::{debug, warn};

use super::Client;

/// How many are remembered, so that each is told of once.
const REMEMBERED: usize = 1_024;

/// Which clients do not trust the authority, and for which hosts.
#[derive(Debug, Default)]
pub(super) struct Distrust(DashSet<(String, String)>);

impl Distrust {
    /// Whether it is the first time that somebody says so.
    fn is_news(&self, who: &str, host: &str) -> bool {
        self.0.len() < REMEMBERED && self.0.insert((who.to_owned(), host.to_owned()))
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
