//! Who is to intercept, by the flags.

use std::net::SocketAddr;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD as STANDARD, Engine as _};
use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::flags::{Flags, LogFormat};
use crate::cli::{Failure, ca};
use crate::config::{BuiltIn, Interception};
use crate::gateway::Interceptor;
use crate::interceptor::Lines;

/// Whose stdout it is, where lines for requests would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Stdout {
    Ours,
    Anothers,
}

/// Who is to intercept; `address`: where the built-in interceptor listens.
pub(super) fn interception(
    flags: &Flags,
    address: SocketAddr,
    stdout: Stdout,
) -> Result<Interception, Failure> {
    let usage = |reason: &str| Failure::Usage(anyhow::anyhow!("{reason}"));
    let is_built_in = flags.interceptor == "builtin";
    if flags.har.is_some() && !is_built_in {
        return Err(usage(
            "--har is for the built-in interceptor; leave --interceptor out, or let that one write the file",
        ));
    }
    match flags.interceptor.as_str() {
        "none" => Ok(Interception::None),
        "builtin" if flags.ca.is_some() => Err(usage(
            "--ca is the authority of another interceptor, and the built-in one has its own (`dockline ca`); give --interceptor as well, \
             HOST:PORT or none",
        )),
        "builtin" => Ok(Interception::BuiltIn(BuiltIn {
            address,
            authority: ca::folder()?,
            lines: match (stdout, flags.log_format) {
                (Stdout::Anothers, _) => Lines::Aside,
                (Stdout::Ours, LogFormat::Text) => Lines::Text,
                (Stdout::Ours, LogFormat::Json) => Lines::Json,
            },
            har: flags.har.clone(),
        })),
        address => match Interceptor::at(address) {
            Ok(interceptor) => Ok(Interception::External(interceptor)),
            Err(error) => Err(Failure::Usage(
                anyhow::Error::new(error).context("--interceptor"),
            )),
        },
    }
}

/// The certificates of a file, and nothing else of it: a private key must never enter a container.
pub(super) fn certificates(path: &Path) -> Result<Bytes, Failure> {
    let usage = |reason: String| {
        let path = path.display();
        Failure::Usage(anyhow::anyhow!("--ca {path}: {reason}"))
    };
    let text = std::fs::read(path).map_err(|error| usage(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| usage(error.to_string()))?;
    if found.is_empty() {
        return Err(usage(
            "it holds no certificate in PEM (BEGIN CERTIFICATE)".to_owned(),
        ));
    }
    let pem = found.iter().map(|certificate| {
        let text = STANDARD.encode(certificate);
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    });
    Ok(pem.collect::<String>().into())
}
