//! One WebSocket to the API server, in two halves that never wait for each other.
//!
//! No task and no queue stands between the halves and the socket: who reads polls the socket, who writes fills it, so
//! backpressure reaches from the person's window to the process in the pod and back, and a frame is neither copied nor
//! handed over on its way out of the pod. Incoming frames are bounded, and the reader sends pings and notices a dead
//! peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use super::BridgeError;
use super::call::Caller;

/// Largest frame and message that is taken. Kubelets send 32 KiB at a time.
const MAX_FRAME: usize = 1024 * 1024;
/// Largest piece that is sent in one frame.
pub(super) const PIECE: usize = 128 * 1024;
/// A connection that has been quiet for this long is asked for a sign of life.
const QUIET: Duration = Duration::from_secs(20);
/// How long that sign may take.
const ANSWER: Duration = Duration::from_secs(20);

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// Opens a WebSocket and says which of `protocols` the server chose.
pub(super) async fn open(
    caller: &Caller,
    doing: &'static str,
    path: &str,
    protocols: &'static [&'static str],
) -> Result<(Writer, Reader, &'static str), BridgeError> {
    let broken = |why: &'static str| BridgeError::Protocol { doing, source: why.into() };
    let key = generate_key();
    let mut headers = HeaderMap::with_capacity(5);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers
        .insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).map_err(|_| broken("its own key"))?);
    // One header with a list: several headers are not understood.
    let list = HeaderValue::from_str(&protocols.join(", ")).map_err(|_| broken("its own protocols"))?;
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, list);

    let response = caller.send(doing, path, &headers).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(broken("no upgrade; a proxy between gateway and API server may not let WebSockets pass"));
    }
    let protocol = {
        let given = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if given(header::SEC_WEBSOCKET_ACCEPT) != Some(&derive_accept_key(key.as_bytes())) {
            return Err(broken("an upgrade that answers another question"));
        }
        let chosen = given(header::SEC_WEBSOCKET_PROTOCOL);
        protocols.iter().find(|&&p| Some(p) == chosen).ok_or_else(|| broken("no protocol in common"))?
    };
    let upgraded = hyper::upgrade::on(response)
        .await
        .map_err(|source| BridgeError::Lost { doing, source: source.into() })?;
    let config = WebSocketConfig::default()
        .read_buffer_size(64 * 1024)
        .write_buffer_size(PIECE)
        .max_write_buffer_size(8 * PIECE)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    let stream = Stream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await;
    let (writer, reader) = split(stream, doing);
    Ok((writer, reader, protocol))
}

fn split(stream: Stream, doing: &'static str) -> (Writer, Reader) {
    let (sink, stream) = stream.split();
    let shared = Arc::new(Shared { sink: Mutex::new(sink), unanswered: AtomicU64::new(0) });
    let reader = Reader { stream, shared: Arc::clone(&shared), doing, quiet_since: None, asked: None };
    (Writer { shared, doing }, reader)
}

struct Shared {
    sink: Mutex<SplitSink<Stream, Message>>,
    /// Bytes sent since the peer last answered a ping. The peer reads pings in line with data, so a process that does
    /// not read its input keeps pings from being answered, and that is not a dead connection.
    unanswered: AtomicU64,
}

/// Sends.
pub(super) struct Writer {
    shared: Arc<Shared>,
    doing: &'static str,
}

impl Writer {
    /// Sends `bytes` on `channel`; returns when they are in the socket. If this is dropped half-way, the rest is not
    /// sent, but frames stay whole.
    pub(super) async fn send(&self, channel: u8, bytes: Bytes) -> Result<(), BridgeError> {
        let mut sink = self.shared.sink.lock().await;
        let mut rest = bytes;
        loop {
            let piece = rest.split_to(rest.len().min(PIECE));
            let mut frame = Vec::with_capacity(piece.len() + 1);
            frame.push(channel);
            frame.extend_from_slice(&piece);
            self.shared.unanswered.fetch_add(frame.len().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
            sink.send(Message::Binary(frame.into())).await.map_err(|source| lost(self.doing, source))?;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Says goodbye: the server ends what runs behind this connection, as far as it can.
    pub(super) async fn close(&self) {
        if let Ok(mut sink) = tokio::time::timeout(Duration::from_millis(200), self.shared.sink.lock()).await
        {
            let _ = tokio::time::timeout(Duration::from_millis(200), sink.close()).await;
        }
    }
}

/// Receives.
pub(super) struct Reader {
    stream: SplitStream<Stream>,
    shared: Arc<Shared>,
    doing: &'static str,
    /// Since when there has been nothing to read although somebody wanted to.
    quiet_since: Option<Instant>,
    /// When a sign of life was asked for.
    asked: Option<Instant>,
}

impl Reader {
    /// The next message: its channel, and what it says. `None` when the server has closed. Can be dropped and called
    /// again without loss.
    pub(super) async fn next(&mut self) -> Option<Result<(u8, Bytes), BridgeError>> {
        loop {
            let now = Instant::now();
            let since = *self.quiet_since.get_or_insert(now);
            let wake = self.asked.map_or(since + QUIET, |asked| asked + ANSWER);
            // What has arrived is taken before any conclusion is drawn from silence.
            let message = tokio::select! {
                biased;
                message = self.stream.next() => message,
                () = tokio::time::sleep_until(wake) => {
                    if let Some(error) = self.quiet().await {
                        return Some(Err(error));
                    }
                    continue;
                }
            };
            (self.quiet_since, self.asked) = (None, None);
            match message? {
                Ok(Message::Binary(mut bytes)) if !bytes.is_empty() => {
                    let content = bytes.split_off(1);
                    return bytes.first().map(|channel| Ok((*channel, content)));
                }
                Ok(Message::Pong(_)) => self.shared.unanswered.store(0, Ordering::Relaxed),
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => return None,
                Err(source) => return Some(Err(lost(self.doing, source))),
            }
        }
    }

    /// It has been quiet: asks, or gives up where an answer should have come.
    async fn quiet(&mut self) -> Option<BridgeError> {
        let expected = self.shared.unanswered.load(Ordering::Relaxed) == 0;
        if self.asked.is_some() && expected {
            let source = format!("no sign of life for {} s", (QUIET + ANSWER).as_secs()).into();
            return Some(BridgeError::Lost { doing: self.doing, source });
        }
        self.asked = Some(Instant::now());
        // A writer that holds the lock is waiting for the peer to read; there is no room for a ping then.
        if let Ok(mut sink) = self.shared.sink.try_lock() {
            let ping = sink.send(Message::Ping(Bytes::new()));
            match tokio::time::timeout(Duration::from_secs(1), ping).await {
                Ok(Err(source)) => return Some(lost(self.doing, source)),
                Ok(Ok(())) | Err(_) => {}
            }
        }
        None
    }
}

fn lost(doing: &'static str, source: tungstenite::Error) -> BridgeError {
    BridgeError::Lost { doing, source: source.into() }
}
