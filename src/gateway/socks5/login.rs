//! Who a SOCKS5 client says it is: by user name and password (RFC 1929), or not at all.
//!
//! The library's own reading of RFC 1929 is not used: it refuses empty passwords, which clients send along with a bare
//! hint, and logs passwords.

use fast_socks5::auth_method_enums;
use fast_socks5::server::{
    AuthMethod, AuthMethodSuccessState, ErrorContext, NoAuthentication, NoAuthenticationImpl,
    Socks5ServerProtocol, SocksServerError, states,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::proxy::Password;

const ACCEPTED: [u8; 2] = [0x01, 0x00];
const REJECTED: [u8; 2] = [0x01, 0x01];

auth_method_enums! {
    /// What is offered to clients.
    pub(super) enum Method / Chosen<T> {
        UserName(Asked<T>),
        NoAuthentication(NoAuthenticationImpl<T>),
    }
}

/// The user name first: a client that can give one may have been told a hint.
const METHODS: [Method; 2] = [
    Method::UserName(UserName),
    Method::NoAuthentication(NoAuthentication),
];

/// Reads the greeting and, where the client has them, user name and password. Answers the user name.
pub(super) async fn authenticate<T>(
    stream: T,
    password: Option<&Password>,
) -> Result<
    (
        Socks5ServerProtocol<T, states::Authenticated>,
        Option<String>,
    ),
    SocksServerError,
>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let methods = match password {
        Some(_) => &METHODS[..1],
        None => &METHODS[..],
    };
    let greeted = Socks5ServerProtocol::start(stream);
    match greeted.negotiate_auth(methods).await? {
        Chosen::NoAuthentication(done) => Ok((done.finish_auth(), None)),
        Chosen::UserName(asked) => {
            let (user, done) = asked.read(password).await?;
            Ok((done.finish_auth(), Some(user)))
        }
    }
}

/// RFC 1929.
#[derive(Clone, Copy)]
pub(super) struct UserName;

/// A client that is to give user name and password.
pub(super) struct Asked<T>(T);

/// A client that gave them.
struct Known<T>(T);

impl<T> AuthMethod<T> for UserName {
    type StartingState = Asked<T>;

    fn method_id(self) -> u8 {
        0x02
    }

    fn new(self, inner: T) -> Self::StartingState {
        Asked(inner)
    }
}

impl<T> AuthMethodSuccessState<T> for Known<T> {
    fn into_inner(self) -> T {
        self.0
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Asked<T> {
    async fn read(
        self,
        expected: Option<&Password>,
    ) -> Result<(String, Known<T>), SocksServerError> {
        let mut stream = self.0;
        stream.read_u8().await.err_when("reading the version")?;
        let user = read_text(&mut stream).await?;
        let password = read_text(&mut stream).await?;
        if expected.is_some_and(|expected| !expected.is(&password)) {
            stream.write_all(&REJECTED).await.err_when("rejecting")?;
            return Err(SocksServerError::AuthenticationRejected);
        }
        stream.write_all(&ACCEPTED).await.err_when("accepting")?;
        Ok((String::from_utf8_lossy(&user).into_owned(), Known(stream)))
    }
}

/// A text with its length in one byte before it.
async fn read_text<T: AsyncRead + Unpin>(stream: &mut T) -> Result<Vec<u8>, SocksServerError> {
    let length = stream.read_u8().await.err_when("reading a length")?;
    let mut text = vec![0; length.into()];
    let read = stream.read_exact(&mut text).await;
    read.err_when("reading user name or password")?;
    Ok(text)
}
