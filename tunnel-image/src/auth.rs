//! How a SOCKS client shows that it knows the secret: by telling it (RFC 1929), or by a proof in both directions.
//!
//! The proof is the private method 0x81. The client sends a version byte and a nonce; the server answers with its own nonce
//! and its proof, so that a client learns whether it talks to its own tunnel before it has told anything; then the client
//! proves itself. Reading the greeting and the request is the SOCKS library's work, joining all three is `socks`'.

use fast_socks5::auth_method_enums;
use fast_socks5::server::{
    AuthMethod, AuthMethodSuccessState, ErrorContext, PasswordAuthentication,
    PasswordAuthenticationStarted, Socks5ServerProtocol, SocksServerError, states,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::secret::{LENGTH, Nonce, Prover, Secret};

/// The method's number, from the range that RFC 1928 leaves to private use.
pub(crate) const MUTUAL: u8 = 0x81;

/// The version of the method, and of its answers.
const VERSION: u8 = 0x01;
const ACCEPTED: [u8; 2] = [VERSION, 0x00];
const REJECTED: [u8; 2] = [VERSION, 0x01];

auth_method_enums! {
    /// What is offered to clients.
    pub(crate) enum Method / Chosen<T> {
        MutualAuthentication(MutualStarted<T>),
        PasswordAuthentication(PasswordAuthenticationStarted<T>),
    }
}

/// In the order of preference. To go without is never offered.
const METHODS: [Method; 2] = [
    Method::MutualAuthentication(MutualAuthentication),
    Method::PasswordAuthentication(PasswordAuthentication),
];

/// Reads the greeting and lets the client authenticate by the best method that it knows.
pub(crate) async fn authenticate<T>(
    stream: T,
    secret: &Secret,
) -> Result<Socks5ServerProtocol<T, states::Authenticated>, SocksServerError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let greeted = Socks5ServerProtocol::start(stream);
    match greeted.negotiate_auth(&METHODS).await? {
        Chosen::MutualAuthentication(started) => Ok(started.prove(secret).await?.finish_auth()),
        Chosen::PasswordAuthentication(started) => {
            let (_user, password, received) = started.read_username_password().await?;
            if !secret.is(&password) {
                received.reject().await?;
                return Err(SocksServerError::AuthenticationRejected);
            }
            Ok(received.accept().await?.finish_auth())
        }
    }
}

/// The private method 0x81.
#[derive(Clone, Copy)]
pub(crate) struct MutualAuthentication;

/// A client that chose it and has yet to send its nonce.
pub(crate) struct MutualStarted<T>(T);

/// A client that proved itself.
struct MutualProven<T>(T);

impl<T> AuthMethod<T> for MutualAuthentication {
    type StartingState = MutualStarted<T>;

    fn method_id(self) -> u8 {
        MUTUAL
    }

    fn new(self, inner: T) -> Self::StartingState {
        MutualStarted(inner)
    }
}

impl<T> AuthMethodSuccessState<T> for MutualProven<T> {
    fn into_inner(self) -> T {
        self.0
    }
}

impl<T> MutualStarted<T>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    async fn prove(self, secret: &Secret) -> Result<MutualProven<T>, SocksServerError> {
        let mut stream = self.0;
        let version = stream.read_u8().await.err_when("reading the version")?;
        if version != VERSION {
            return Err(SocksServerError::AuthenticationRejected);
        }
        let client: Nonce = read_32(&mut stream).await?;
        let mut server: Nonce = [0; 32];
        getrandom::fill(&mut server)
            .map_err(std::io::Error::from)
            .err_when("making a nonce")?;
        let proof = secret.proof(Prover::Server, &client, &server);
        send(&mut stream, &[server, proof].concat()).await?;

        let proof: [u8; LENGTH] = read_32(&mut stream).await?;
        if !secret.verifies(&proof, Prover::Client, &client, &server) {
            send(&mut stream, &REJECTED).await?;
            return Err(SocksServerError::AuthenticationRejected);
        }
        send(&mut stream, &ACCEPTED).await?;
        Ok(MutualProven(stream))
    }
}

async fn read_32<T: AsyncRead + Unpin>(stream: &mut T) -> Result<[u8; 32], SocksServerError> {
    let mut bytes = [0; 32];
    let read = stream.read_exact(&mut bytes).await;
    read.err_when("reading a nonce or proof")?;
    Ok(bytes)
}

async fn send<T: AsyncWrite + Unpin>(stream: &mut T, bytes: &[u8]) -> Result<(), SocksServerError> {
    let sent = stream.write_all(bytes).await;
    sent.err_when("sending a nonce, proof or answer")
}
