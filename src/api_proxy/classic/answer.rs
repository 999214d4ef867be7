//! What the classic builder says, on its way to the client.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, WriteHalf};

use bytes::Buf as _;

use super::body::send;
use super::{Build, Found};
use crate::api_proxy::exchange::payload;
use crate::api_proxy::head::ResponseHead;
use crate::core::dockerfile::Output;
use crate::http1::framing::Framing;
use crate::http1::inbound::{Broke, Inbound};

/// The longest refusal that is read.
const LONGEST: usize = 1024 * 1024;

impl Build {
    /// Passes the answer: output, or a refusal.
    pub(in crate::api_proxy) async fn answer<C: AsyncWrite, E: AsyncRead>(
        &self,
        engine: &mut Inbound<E>,
        client: &mut WriteHalf<C>,
        mut head: ResponseHead,
    ) -> Result<(), Broke> {
        if head.status == 200 && head.plain && matches!(head.body, Framing::Chunked(_)) {
            client.write_all(&head.bytes).await.map_err(Broke::To)?;
            return self.output(engine, client, &mut head.body).await;
        }
        let Found { steps, .. } = self.found();
        let (mut begin, mut here) = (head.bytes.clone(), Vec::new());
        if head.plain && matches!(head.body, Framing::Length(_)) && head.status >= 400 {
            let announced = head.body.clone();
            here = engine.collect(&mut head.body, LONGEST).await?;
            let said = String::from_utf8(payload(announced, &here));
            if let (Ok(said), true) = (said, head.body.is_done()) {
                here = steps.own_lines(&said).into_bytes();
                begin = head.with_length(here.len());
            }
        }
        let whole = begin.chain(&here[..]);
        engine.pass(whole, client, &mut head.body).await
    }

    async fn output<C: AsyncWrite, E: AsyncRead>(
        &self,
        engine: &mut Inbound<E>,
        client: &mut WriteHalf<C>,
        body: &mut Framing,
    ) -> Result<(), Broke> {
        let (mut piece, mut out) = (Vec::new(), Vec::new());
        let mut output = Output::new(self.quiet);
        let mut warned = false;
        while engine.piece(body, &mut piece).await? {
            // What the request found out is known by the time that the engine speaks: it reads the whole context first.
            let Found { steps, warning } = self.found();
            if let Some(warning) = warning.filter(|_| !std::mem::replace(&mut warned, true)) {
                output.tell(&warning, &mut out);
            }
            output.push(&piece, &steps, &mut out);
            send(client, &mut out).await?;
        }
        output.finish(&mut out);
        send(client, &mut out).await?;
        client.write_all(b"0\r\n\r\n").await.map_err(Broke::To)
    }
}
