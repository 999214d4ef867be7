//! The variables by which programs are told what to trust.

/// What a variable does to what a program trusts otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Its file takes the place of all else.
    Replaces,
    /// Its file is trusted as well.
    Adds,
}

use Effect::{Adds, Replaces};

/// Each takes a file in PEM.
pub const AUTHORITIES: [(&str, Effect); 19] = [
    // OpenSSL, and all that reads what it reads: Python, Ruby, .NET, Perl, PHP's streams, wget; Go; Rust; uv.
    ("SSL_CERT_FILE", Replaces),
    // Python: requests, pip, httplib2; conda heeds the first.
    ("REQUESTS_CA_BUNDLE", Replaces),
    ("PIP_CERT", Replaces),
    ("HTTPLIB2_CA_CERTS", Replaces),
    // curl's program.
    ("CURL_CA_BUNDLE", Replaces),
    ("GIT_SSL_CAINFO", Replaces),
    // Node, Bun; Deno.
    ("NODE_EXTRA_CA_CERTS", Adds),
    ("DENO_CERT", Adds),
    ("YARN_HTTPS_CA_FILE_PATH", Replaces),
    ("npm_config_cafile", Replaces),
    ("CARGO_HTTP_CAINFO", Replaces),
    ("BUNDLE_SSL_CA_CERT", Replaces),
    ("PERL_LWP_SSL_CA_FILE", Replaces),
    ("HEX_CACERTS_PATH", Replaces),
    // The gRPC library that C++, Python, Ruby and PHP share.
    ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", Replaces),
    // Clouds' own tools and libraries.
    ("AWS_CA_BUNDLE", Replaces),
    ("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", Replaces),
    ("NIX_SSL_CERT_FILE", Replaces),
    // Alpine's `apk`.
    ("SSL_CA_CERT_FILE", Replaces),
];

/// Read by every Java virtual machine, which heeds no variable about proxies or trust.
pub const JAVA_OPTIONS: &str = "JAVA_TOOL_OPTIONS";
