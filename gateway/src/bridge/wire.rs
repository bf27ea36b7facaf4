//! One connection to the API server with several channels in it, in two halves that never wait for each other.
//!
//! Three forms look the same from above: channel messages in a WebSocket (`v4`, `v5.channel.k8s.io`), SPDY in a
//! WebSocket, and bare SPDY. No task and no queue stands between the halves and the socket: who reads polls the socket,
//! who writes fills it, so backpressure reaches from the person's window to the process in the pod and back, and what
//! comes out of a pod is handed on without a copy. The reader also sends pings and notices a dead peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, Message};

use super::BridgeError;
use super::spdy::{self, Frame};
use super::upgrade::{PIECE, Raw, Socket};

/// A connection that has been quiet for this long is asked for a sign of life.
const QUIET: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 20 });
/// How long that sign may take.
const ANSWER: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 20 });
/// v5: the byte that follows names the channel that is over.
const CLOSE: u8 = 255;

/// How channels are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// A first byte in every message. `ends`: v5, which can say that a channel is over.
    Channels { ends: bool },
    /// SPDY streams: channel N is stream 2 N + 1.
    Streams,
}

/// A stream to open for a channel: its headers, and whether we will send nothing on it.
pub(super) type StreamOf<'a> = (&'a [(&'a str, &'a str)], bool);

enum Sink {
    Socket(SplitSink<Socket, Message>),
    Raw(WriteHalf<Raw>),
}

impl Sink {
    async fn send(&mut self, frame: Vec<u8>) -> Result<(), tungstenite::Error> {
        match self {
            Self::Socket(sink) => sink.send(Message::Binary(frame.into())).await,
            Self::Raw(sink) => {
                sink.write_all(&frame).await?;
                Ok(sink.flush().await?)
            }
        }
    }

    async fn ping(&mut self, framing: Framing) -> Result<(), tungstenite::Error> {
        if let (Self::Socket(sink), Framing::Channels { .. }) = (&mut *self, framing) {
            return sink.send(Message::Ping(Bytes::new())).await;
        }
        self.spdy_ping(1).await
    }

    /// Sends a ping frame if there is room for it; being dropped half-way does not leave half a frame.
    async fn spdy_ping(&mut self, id: u32) -> Result<(), tungstenite::Error> {
        let mut frame = Vec::new();
        spdy::ping(id, &mut frame);
        match self {
            Self::Socket(_) => self.send(frame).await,
            Self::Raw(sink) => {
                let written = match futures::poll!(std::pin::pin!(sink.write(&frame))) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(written) => written?,
                };
                sink.write_all(frame.get(written..).unwrap_or_default()).await?;
                Ok(sink.flush().await?)
            }
        }
    }
}

enum Source {
    Socket(SplitStream<Socket>),
    Raw(ReadHalf<Raw>),
}

struct Shared {
    sink: Mutex<Sink>,
    /// Bytes sent since the peer last answered a ping. Peers read pings in line with data, so a process that does not
    /// read its input keeps pings from being answered, and that is not a dead connection.
    unanswered: AtomicU64,
}

/// A WebSocket with a channel's number before each message.
pub(super) fn channels(socket: Socket, ends: bool, doing: &'static str) -> (Writer, Reader) {
    let (sink, source) = socket.split();
    halves(Sink::Socket(sink), Source::Socket(source), Framing::Channels { ends }, doing)
}

/// A WebSocket that carries SPDY.
pub(super) async fn streams_in(
    socket: Socket,
    streams: &[StreamOf<'_>],
    doing: &'static str,
) -> Result<(Writer, Reader), BridgeError> {
    let (sink, source) = socket.split();
    opened(halves(Sink::Socket(sink), Source::Socket(source), Framing::Streams, doing), streams).await
}

/// Bare SPDY.
pub(super) async fn streams(
    raw: Raw,
    streams: &[StreamOf<'_>],
    doing: &'static str,
) -> Result<(Writer, Reader), BridgeError> {
    let (source, sink) = tokio::io::split(raw);
    opened(halves(Sink::Raw(sink), Source::Raw(source), Framing::Streams, doing), streams).await
}

async fn opened(halves: (Writer, Reader), streams: &[StreamOf<'_>]) -> Result<(Writer, Reader), BridgeError> {
    let mut frames = Vec::new();
    for (stream, (headers, finished)) in (0_u8..).zip(streams) {
        spdy::open(stream_of(stream), headers, stream == 0, *finished, &mut frames);
    }
    let doing = halves.0.doing;
    halves.0.shared.sink.lock().await.send(frames).await.map_err(|source| lost(doing, source))?;
    Ok(halves)
}

fn halves(sink: Sink, source: Source, framing: Framing, doing: &'static str) -> (Writer, Reader) {
    let shared = Arc::new(Shared { sink: Mutex::new(sink), unanswered: AtomicU64::new(0) });
    let writer = Writer { shared: Arc::clone(&shared), framing, doing };
    let reader = Reader {
        source,
        shared,
        framing,
        doing,
        buffer: BytesMut::new(),
        quiet_since: None,
        asked: None,
        over: false,
        ended: None,
    };
    (writer, reader)
}

fn stream_of(channel: u8) -> u32 {
    2 * u32::from(channel) + 1
}

/// Sends.
pub(super) struct Writer {
    shared: Arc<Shared>,
    framing: Framing,
    doing: &'static str,
}

impl Writer {
    /// Whether [`Writer::end`] means anything to the server.
    pub(super) const fn can_end(&self) -> bool {
        !matches!(self.framing, Framing::Channels { ends: false })
    }

    /// Sends `bytes` on `channel`; returns when they are with the kernel. Dropping this half-way may cut the
    /// connection's last frame short: only do so when the connection is given up.
    pub(super) async fn send(&self, channel: u8, mut bytes: Bytes) -> Result<(), BridgeError> {
        let mut sink = self.shared.sink.lock().await;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            let mut frame = Vec::with_capacity(piece.len() + 8);
            match self.framing {
                Framing::Channels { .. } => {
                    frame.push(channel);
                    frame.extend_from_slice(&piece);
                }
                Framing::Streams => spdy::data(stream_of(channel), &piece, false, &mut frame),
            }
            self.shared.unanswered.fetch_add(1, Ordering::Relaxed);
            sink.send(frame).await.map_err(|source| lost(self.doing, source))?;
        }
        Ok(())
    }

    /// Says that nothing more comes on `channel`, where [`Writer::can_end`].
    pub(super) async fn end(&self, channel: u8) -> Result<(), BridgeError> {
        let mut frame = Vec::new();
        match self.framing {
            Framing::Channels { ends: false } => return Ok(()),
            Framing::Channels { ends: true } => frame.extend([CLOSE, channel]),
            Framing::Streams => spdy::data(stream_of(channel), &[], true, &mut frame),
        }
        self.shared.sink.lock().await.send(frame).await.map_err(|source| lost(self.doing, source))
    }

    /// Says goodbye, within a moment: the server ends what runs behind this connection, as far as it can.
    pub(super) async fn close(&self) {
        let goodbye = async {
            match &mut *self.shared.sink.lock().await {
                Sink::Socket(sink) => _ = sink.close().await,
                Sink::Raw(sink) => _ = sink.shutdown().await,
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(200), goodbye).await;
    }
}

/// Receives.
pub(super) struct Reader {
    source: Source,
    shared: Arc<Shared>,
    framing: Framing,
    doing: &'static str,
    /// SPDY bytes that are not a whole frame yet.
    buffer: BytesMut,
    /// Since when there has been nothing to read although somebody wanted to.
    quiet_since: Option<Instant>,
    /// When a sign of life was asked for.
    asked: Option<Instant>,
    over: bool,
    /// A channel whose last bytes have been handed on, and its end not yet.
    ended: Option<u8>,
}

impl Reader {
    /// The next message: its channel, and what it says; empty when the server says that the channel is over. `None`
    /// when the connection is closed. Can be dropped and called again without loss.
    pub(super) async fn next(&mut self) -> Option<Result<(u8, Bytes), BridgeError>> {
        if let Some(channel) = self.ended.take() {
            return Some(Ok((channel, Bytes::new())));
        }
        loop {
            if self.framing == Framing::Streams {
                match spdy::take(&mut self.buffer) {
                    Ok(Some(frame)) => match self.frame(frame).await {
                        Some(message) => return Some(Ok(message)),
                        None => continue,
                    },
                    Ok(None) => {}
                    Err(source) => {
                        return Some(Err(BridgeError::Protocol { doing: self.doing, source: source.into() }));
                    }
                }
            }
            if self.over {
                return None;
            }
            let mut message = match self.message().await {
                Ok(Some(message)) => message,
                Ok(None) => {
                    self.over = true;
                    continue;
                }
                Err(error) => return Some(Err(error)),
            };
            if self.framing == Framing::Streams {
                self.buffer.extend_from_slice(&message);
            } else if !message.is_empty() {
                let content = message.split_off(1);
                return message.first().map(|channel| Ok((*channel, content)));
            }
        }
    }

    async fn frame(&mut self, frame: Frame) -> Option<(u8, Bytes)> {
        let channel = |stream: u32| u8::try_from(stream.saturating_sub(1) / 2).ok();
        match frame {
            Frame::Data { stream, bytes, end } => {
                let channel = channel(stream)?;
                if end && !bytes.is_empty() {
                    self.ended = Some(channel);
                }
                (end || !bytes.is_empty()).then_some((channel, bytes))
            }
            Frame::Reset { stream } => Some((channel(stream)?, Bytes::new())),
            Frame::Ping { id } if id % 2 == 0 => {
                let send = async { self.shared.sink.lock().await.spdy_ping(id).await };
                let _ = tokio::time::timeout(Duration::from_secs(1), send).await;
                None
            }
            Frame::Ping { .. } => {
                self.shared.unanswered.store(0, Ordering::Relaxed);
                None
            }
            Frame::GoAway => None,
        }
    }

    /// The next piece off the socket; `None` when it is closed.
    async fn message(&mut self) -> Result<Option<Bytes>, BridgeError> {
        loop {
            let since = *self.quiet_since.get_or_insert_with(Instant::now);
            let wake = self.asked.map_or(since + QUIET, |asked| asked + ANSWER);
            let received = {
                let receive = receive(&mut self.source, &mut self.buffer);
                // What has arrived is taken before any conclusion is drawn from silence.
                tokio::select! {
                    biased;
                    received = receive => Some(received),
                    () = tokio::time::sleep_until(wake) => None,
                }
            };
            let Some(received) = received else {
                self.quiet().await?;
                continue;
            };
            (self.quiet_since, self.asked) = (None, None);
            match received {
                Ok(Received::Piece(bytes)) => return Ok(Some(bytes)),
                Ok(Received::Alive) => self.shared.unanswered.store(0, Ordering::Relaxed),
                Ok(Received::Nothing) => {}
                Ok(Received::Closed)
                | Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => {
                    return Ok(None);
                }
                Err(source) => return Err(lost(self.doing, source)),
            }
        }
    }

    /// It has been quiet: asks, or gives up where an answer should have come.
    async fn quiet(&mut self) -> Result<(), BridgeError> {
        let expected = self.shared.unanswered.load(Ordering::Relaxed) == 0;
        if self.asked.is_some() && expected {
            let source = format!("no sign of life for {} s", (QUIET + ANSWER).as_secs()).into();
            return Err(BridgeError::Lost { doing: self.doing, source });
        }
        self.asked = Some(Instant::now());
        // A writer that holds the lock is waiting for the peer to read; there is no room for a ping then.
        if let Ok(mut sink) = self.shared.sink.try_lock() {
            let sent = tokio::time::timeout(Duration::from_secs(1), sink.ping(self.framing)).await;
            if let Ok(Err(source)) = sent {
                return Err(lost(self.doing, source));
            }
        }
        Ok(())
    }
}

enum Received {
    /// Bytes; for bare SPDY they are in the buffer already and this is empty.
    Piece(Bytes),
    /// The answer to a ping.
    Alive,
    Nothing,
    Closed,
}

/// Cancel-safe: what is dropped half-way has taken nothing.
async fn receive(source: &mut Source, buffer: &mut BytesMut) -> Result<Received, tungstenite::Error> {
    match source {
        Source::Socket(stream) => Ok(match stream.next().await {
            Some(message) => match message? {
                Message::Binary(bytes) => Received::Piece(bytes),
                Message::Pong(_) => Received::Alive,
                Message::Close(_) => Received::Closed,
                _ => Received::Nothing,
            },
            None => Received::Closed,
        }),
        Source::Raw(raw) => {
            buffer.reserve(64 * 1024);
            let read = raw.read_buf(buffer).await?;
            Ok(if read == 0 { Received::Closed } else { Received::Piece(Bytes::new()) })
        }
    }
}

fn lost(doing: &'static str, source: tungstenite::Error) -> BridgeError {
    BridgeError::Lost { doing, source: source.into() }
}
