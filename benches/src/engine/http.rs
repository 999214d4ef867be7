//! HTTP/1.1 over an engine's unix socket: as little as these measurements need.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// A kept connection.
#[derive(Debug)]
pub(crate) struct Http {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

/// How a body ends.
#[derive(Clone, Copy, Debug)]
enum Body {
    Length(usize),
    Chunked,
}

impl Http {
    /// Connects.
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("connect to {}", socket.display()))?;
        let writer = stream.try_clone()?;
        Ok(Self {
            reader: BufReader::new(stream),
            writer,
        })
    }

    /// Sends a request and reads its whole answer: status and body.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let (status, bytes) = self.ask_bytes(method, path, body)?;
        let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&bytes);
            Value::from(text.trim())
        });
        Ok((status, value))
    }

    /// Asks for what is no JSON.
    pub(crate) fn download(&mut self, path: &str) -> Result<Vec<u8>> {
        let (status, bytes) = self.ask_bytes("GET", path, None)?;
        if status != 200 {
            bail!("GET {path} answered {status}");
        }
        Ok(bytes)
    }

    fn ask_bytes(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Vec<u8>)> {
        self.send(method, path, body)?;
        let (status, kind) = self.head()?;
        let mut bytes = Vec::new();
        match kind {
            Body::Length(length) => {
                bytes.resize(length, 0);
                self.reader.read_exact(&mut bytes)?;
            }
            Body::Chunked => while self.chunk(&mut bytes)? {},
        }
        Ok((status, bytes))
    }

    /// Asks for a stream of JSON lines; they come with [`Self::line`].
    pub(crate) fn stream(&mut self, path: &str) -> Result<()> {
        self.send("GET", path, None)?;
        let (status, _) = self.head()?;
        if status != 200 {
            bail!("GET {path} answered {status}");
        }
        Ok(())
    }

    /// The next JSON line of a chunked stream; nothing at its end. Chunk sizes are told from lines by their looks.
    pub(crate) fn line(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            if line.starts_with('{') {
                return Ok(serde_json::from_str(&line).ok());
            }
        }
    }

    fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<()> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let length = match method {
            "GET" => String::new(),
            _ => format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ),
        };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: docker\r\n{length}\r\n{body}");
        self.writer.write_all(request.as_bytes())?;
        Ok(())
    }

    fn head(&mut self) -> Result<(u16, Body)> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line.split_whitespace().nth(1).and_then(|s| s.parse().ok());
        let status = status.with_context(|| format!("an odd answer: {line:?}"))?;
        let mut body = Body::Length(0);
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                return Ok((status, body));
            }
            if let Some(length) = header.strip_prefix("content-length:") {
                body = Body::Length(length.trim().parse()?);
            } else if header.starts_with("transfer-encoding:") {
                body = Body::Chunked;
            }
        }
    }

    /// Reads a chunk; false after the last one.
    fn chunk(&mut self, bytes: &mut Vec<u8>) -> Result<bool> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).context("an odd chunk")?;
        let from = bytes.len();
        bytes.resize(from + length, 0);
        self.reader.read_exact(&mut bytes[from..])?;
        line.clear();
        self.reader.read_line(&mut line)?;
        Ok(length > 0)
    }
}

/// One request on a connection of its own.
pub(crate) fn once(
    socket: &Path,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value)> {
    Http::connect(socket)?.ask(method, path, body)
}
