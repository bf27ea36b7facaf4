//! One connection to a port of a pod, between a pair of streams.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use crate::cluster::streaming::portforward::Place;
use crate::cluster::streaming::spdy::{self, HEAD};
use crate::cluster::streaming::websocket::BLOCK;

/// The streams of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) error: u32,
    pub(super) data: u32,
}

/// Data on its way to a pod, and its part of what may be on the way.
#[derive(Debug)]
pub(super) struct Food {
    pub(super) bytes: Bytes,
    pub(super) held: OwnedSemaphorePermit,
}

/// Connects, and forwards until both directions are over or the client has given up. `food` ends where the
/// client's direction does.
pub(super) async fn forward(
    to: Place,
    port: u16,
    ends: Ends,
    food: mpsc::Receiver<Food>,
    given_up: CancellationToken,
    queue: mpsc::Sender<Bytes>,
) -> Ends {
    let outcome = tokio::select! {
        outcome = pump(&to, port, ends.data, food, &queue) => outcome,
        () = given_up.cancelled() => Ok(()),
    };
    // Sending fails when the client is gone, and then nobody asks.
    let why = outcome.as_ref().err().map(String::as_bytes).unwrap_or_default();
    let _ = queue.send(spdy::data(ends.error, why, true)).await;
    if outcome.is_err() {
        let _ = queue.send(spdy::data(ends.data, &[], true)).await;
    }
    ends
}

/// Both directions. The error is why there is no connection.
async fn pump(
    to: &Place,
    port: u16,
    stream: u32,
    mut food: mpsc::Receiver<Food>,
    queue: &mpsc::Sender<Bytes>,
) -> Result<(), String> {
    let (mut from, mut into) = to.dial(port).await?.into_split();
    // What it owns goes when it is over: no part of the budget is kept by a pod that takes no more.
    let up = async move {
        while let Some(Food { bytes, held }) = food.recv().await {
            // Such a pod may still have something to say.
            if into.write_all(&bytes).await.is_err() {
                return;
            }
            drop(held);
        }
        let _ = into.shutdown().await;
    };
    let down = async {
        let mut buffer = BytesMut::new();
        while let Some(frame) = block(&mut from, stream, &mut buffer).await {
            if queue.send(frame).await.is_err() {
                return;
            }
        }
        let _ = queue.send(spdy::data(stream, &[], true)).await;
    };
    tokio::join!(up, down);
    Ok(())
}

/// Reads one block into a data frame; `None` at the end. `buffer` is kept between calls.
async fn block(from: &mut OwnedReadHalf, stream: u32, buffer: &mut BytesMut) -> Option<Bytes> {
    if buffer.capacity() < 4096 {
        buffer.reserve(BLOCK);
    }
    buffer.extend_from_slice(&[0; HEAD]);
    // A connection that the pod broke off is over, as one that it ended.
    let read = from.read_buf(buffer).await.ok().filter(|read| *read > 0)?;
    let mut frame = buffer.split();
    *frame.first_chunk_mut()? = spdy::data_head(stream, read, false);
    Some(frame.freeze())
}
