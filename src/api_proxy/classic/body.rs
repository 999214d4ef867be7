//! A context on its way to the engine.

use std::io::Cursor;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{BzDecoder, GzipDecoder, XzDecoder, ZstdDecoder};
use bytes::{Buf, Bytes};
use tokio::io::{
    self, AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt, AsyncWrite,
    AsyncWriteExt as _, BufReader, ReadBuf, WriteHalf,
};
use tracing::debug;

use super::Build;
use crate::core::context::{Context as Archive, Match};
use crate::core::dockerfile::{StageInjection, inject};
use crate::http1::framing::Framing;
use crate::http1::inbound::{Broke, Inbound};

/// What is unpacked at a time.
const UNPACKED: usize = 64 * 1024;
/// What is held back until it is known whether the build is intercepted. A Dockerfile that comes later still is, but what
/// the user says of proxies by build arguments is then lost if it cannot be.
const HELD: usize = 8 * 1024 * 1024;
/// For a dictionary of xz's. The largest of its usual ones is 64 MB.
const XZ_MEMORY: u64 = 128 * 1024 * 1024;
/// What no header of an archive is: the engine is to fail where its own unpacking would have.
const BROKEN: [u8; 512] = [0xff; 512];

/// What comes of a context; see the module.
#[derive(Debug)]
pub(in crate::api_proxy) struct Reshape {
    dockerfile: String,
    injection: StageInjection,
    added: Vec<u8>,
    build: Arc<Build>,
}

/// How a request begins.
pub(in crate::api_proxy) struct Heads {
    /// If the build is intercepted.
    pub(in crate::api_proxy) intercepted: Bytes,
    /// If not: with all that the user says of proxies.
    pub(in crate::api_proxy) plain: Bytes,
}

impl Reshape {
    pub(super) fn new(
        dockerfile: String,
        injection: StageInjection,
        added: Vec<u8>,
        build: Arc<Build>,
    ) -> Self {
        Self {
            dockerfile,
            injection,
            added,
            build,
        }
    }

    /// Passes a request on, in chunks, to its end.
    pub(in crate::api_proxy) async fn pass<C: AsyncRead + Send, E: AsyncWrite>(
        self,
        client: &mut Inbound<C>,
        heads: Heads,
        engine: &mut WriteHalf<E>,
        body: &mut Framing,
    ) -> Result<(), Broke> {
        let (injection, build) = (&self.injection, &self.build);
        let edit = |_: Match, dockerfile: Option<&[u8]>| edited(dockerfile, injection, build);
        let mut context = Archive::new(&self.dockerfile, self.added, edit);
        let mut begin = Some(heads);
        let mut out = Vec::new();
        let mut unpacked = unpacked(Pieces::new(client, body)).await;
        let is_whole = loop {
            let here = match unpacked.fill_buf().await {
                Ok(here) => here,
                Err(error) => {
                    // If it is the client who has gone, that shows below.
                    debug!(%error, "a build's context breaks off");
                    break false;
                }
            };
            if here.is_empty() {
                break true;
            }
            let length = here.len();
            if begin.is_none() && context.passes() >= length as u64 {
                chunk(engine, here).await?;
                context.passed(length);
                unpacked.consume(length);
                continue;
            }
            context.push(here, &mut out);
            unpacked.consume(length);
            let is_edited = context.is_edited();
            if is_edited.is_some() || out.len() > HELD {
                let is_plain = is_edited == Some(false);
                start(&mut begin, is_plain, engine).await?;
                send(engine, &mut out).await?;
            }
        };
        drop(unpacked);
        if is_whole {
            context.finish(&mut out);
        } else {
            out.extend_from_slice(&BROKEN);
        }
        let is_edited = context.is_edited();
        drop(context);
        start(&mut begin, is_edited != Some(true), engine).await?;
        send(engine, &mut out).await?;
        // What follows a compressed archive.
        while client.piece(body, &mut out).await? {}
        engine.write_all(b"0\r\n\r\n").await.map_err(Broke::To)?;
        engine.flush().await.map_err(Broke::To)?;
        if is_edited.is_none() {
            let name = &self.dockerfile;
            build.is_not_intercepted(&format!("there is no {name} in its context"));
        }
        Ok(())
    }
}

/// Sends the head, once.
async fn start<E: AsyncWrite>(
    heads: &mut Option<Heads>,
    is_plain: bool,
    engine: &mut WriteHalf<E>,
) -> Result<(), Broke> {
    let Some(Heads { intercepted, plain }) = heads.take() else {
        return Ok(());
    };
    let head = if is_plain { plain } else { intercepted };
    engine.write_all(&head).await.map_err(Broke::To)
}

fn edited(dockerfile: Option<&[u8]>, injection: &StageInjection, build: &Build) -> Option<Vec<u8>> {
    let Some(dockerfile) = dockerfile else {
        build.is_not_intercepted(&"its Dockerfile is no plain file, or longer than 128 KB");
        return None;
    };
    match inject(dockerfile, injection) {
        Ok(injected) => {
            let (steps, text) = injected.map(|i| (i.steps, i.text)).unzip();
            build.has(steps.unwrap_or_default());
            text.map(String::into_bytes)
        }
        Err(unclear) => {
            build.is_not_intercepted(&unclear);
            None
        }
    }
}

/// A chunk of what is there, if anything is.
pub(super) async fn send<S: AsyncWrite>(
    to: &mut WriteHalf<S>,
    out: &mut Vec<u8>,
) -> Result<(), Broke> {
    if !out.is_empty() {
        chunk(to, out).await?;
        out.clear();
    }
    Ok(())
}

async fn chunk<S: AsyncWrite>(to: &mut WriteHalf<S>, bytes: &[u8]) -> Result<(), Broke> {
    let size = format!("{:x}\r\n", bytes.len());
    let mut chunk = Buf::chain(size.as_bytes(), Buf::chain(bytes, &b"\r\n"[..]));
    to.write_all_buf(&mut chunk).await.map_err(Broke::To)
}

/// The body, as a reader of what it carries.
struct Pieces<'a, C> {
    client: &'a mut Inbound<C>,
    body: &'a mut Framing,
    /// What is here, and how much of that was taken.
    piece: Vec<u8>,
    taken: usize,
}

impl<'a, C: AsyncRead> Pieces<'a, C> {
    fn new(client: &'a mut Inbound<C>, body: &'a mut Framing) -> Self {
        Self {
            client,
            body,
            piece: Vec::new(),
            taken: 0,
        }
    }
}

impl<C: AsyncRead> AsyncBufRead for Pieces<'_, C> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.taken == this.piece.len() {
            this.taken = 0;
            // What an earlier piece was must not be taken again if this one does not come.
            this.piece.clear();
            let more = ready!(this.client.poll_piece(cx, this.body, &mut this.piece));
            more.map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(&this.piece[this.taken..]))
    }

    fn consume(self: Pin<&mut Self>, length: usize) {
        self.get_mut().taken += length;
    }
}

impl<C: AsyncRead> AsyncRead for Pieces<'_, C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let here = ready!(self.as_mut().poll_fill_buf(cx))?;
        let length = here.len().min(buf.remaining());
        buf.put_slice(&here[..length]);
        self.consume(length);
        Poll::Ready(Ok(()))
    }
}

type Reader<'a> = Pin<Box<dyn AsyncBufRead + Send + 'a>>;

/// An archive as the engine would unpack it, by its first bytes.
async fn unpacked<'a>(packed: impl AsyncBufRead + Send + 'a) -> Reader<'a> {
    let mut packed = Box::pin(packed);
    let mut magic = Vec::new();
    // Who has gone by now shows when the rest is asked for.
    let _ = (&mut packed).take(6).read_to_end(&mut magic).await;
    let is = |known: &[u8]| magic.starts_with(known);
    let kind = if is(b"BZh") {
        Packed::Bzip2
    } else if is(&[0x1f, 0x8b, 0x08]) {
        Packed::Gzip
    } else if is(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        Packed::Xz
    } else if is(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Packed::Zstd
    } else {
        Packed::Not
    };
    let whole = AsyncReadExt::chain(Cursor::new(magic), packed);
    match kind {
        Packed::Not => Box::pin(whole),
        Packed::Bzip2 => {
            let mut decoder = BzDecoder::new(whole);
            decoder.multiple_members(true);
            Box::pin(BufReader::with_capacity(UNPACKED, decoder))
        }
        Packed::Gzip => {
            let mut decoder = GzipDecoder::new(whole);
            decoder.multiple_members(true);
            Box::pin(BufReader::with_capacity(UNPACKED, decoder))
        }
        Packed::Xz => {
            let mut decoder = XzDecoder::with_mem_limit(whole, XZ_MEMORY);
            decoder.multiple_members(true);
            Box::pin(BufReader::with_capacity(UNPACKED, decoder))
        }
        Packed::Zstd => {
            let mut decoder = ZstdDecoder::new(whole);
            decoder.multiple_members(true);
            Box::pin(BufReader::with_capacity(UNPACKED, decoder))
        }
    }
}

enum Packed {
    Not,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{BzEncoder, GzipEncoder, XzEncoder, ZstdEncoder};

    use super::*;

    async fn all(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut all = Vec::new();
        from.read_to_end(&mut all).await.unwrap();
        all
    }

    #[tokio::test]
    async fn contexts_come_packed_in_many_ways() {
        let plain = b"an archive ".repeat(30_000);
        let packed = [
            plain.clone(),
            all(GzipEncoder::new(&plain[..])).await,
            all(BzEncoder::new(&plain[..])).await,
            all(XzEncoder::new(&plain[..])).await,
            all(ZstdEncoder::new(&plain[..])).await,
        ];
        for (at, packed) in packed.into_iter().enumerate() {
            assert!(at == 0 || packed.len() < plain.len());
            let mut pieces = BufReader::with_capacity(1000, Cursor::new(packed));
            assert!(all(unpacked(&mut pieces).await).await == plain, "{at}");
        }
        for short in ["", "x", "BZh"] {
            let mut unpacked = unpacked(short.as_bytes()).await;
            let mut found = String::new();
            let read = unpacked.read_to_string(&mut found).await;
            assert!(read.is_err() || found == short);
        }
    }
}
