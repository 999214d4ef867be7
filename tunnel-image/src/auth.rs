//! How a SOCKS client shows that it knows the secret: by telling it as a password (RFC 1929), with any user name.
//!
//! Clients that do not know yet whether this is their tunnel find out by the link's hello, which tells nothing.

use fast_socks5::auth_method_enums;
use fast_socks5::server::{
    AuthMethod, AuthMethodSuccessState as _, PasswordAuthentication, PasswordAuthenticationStarted,
    Socks5ServerProtocol, SocksServerError, states,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::secret::Secret;

auth_method_enums! {
    /// What is offered to clients.
    pub(crate) enum Method / Chosen<T> {
        PasswordAuthentication(PasswordAuthenticationStarted<T>),
    }
}

/// To go without is never offered.
const METHODS: [Method; 1] = [Method::PasswordAuthentication(PasswordAuthentication)];

/// Reads the greeting and the password.
pub(crate) async fn authenticate<T>(
    stream: T,
    secret: &Secret,
) -> Result<Socks5ServerProtocol<T, states::Authenticated>, SocksServerError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let greeted = Socks5ServerProtocol::start(stream);
    let Chosen::PasswordAuthentication(started) = greeted.negotiate_auth(&METHODS).await?;
    let (_user, password, received) = started.read_username_password().await?;
    if !secret.is(&password) {
        received.reject().await?;
        return Err(SocksServerError::AuthenticationRejected);
    }
    Ok(received.accept().await?.finish_auth())
}
