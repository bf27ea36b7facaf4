//! The WebSocket half: handshake, the writing task, and the messages that end a stream.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::SplitSink;
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, StatusCode, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::cluster::status::Status;

/// A connection after its handshake.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The largest message taken from a client.
const MESSAGE: usize = 4 << 20;
/// Read from a process or a pod at once.
pub(super) const BLOCK: usize = 64 << 10;
/// Messages that wait for a slow client, in each stream.
pub(super) const QUEUE: usize = 8;
/// How long a writer with nothing to write waits before it asks for a sign of life: a client that is gone without
/// a word is noticed by writing only.
const IDLE: Duration = Duration::from_secs(30);
/// How long a client gets to answer the end of a stream, and to take what is left to send.
const CLOSING: Duration = Duration::from_secs(5);

/// The subprotocols of exec and attach: the newer one has a message that closes stdin.
pub(super) const V5: &str = "v5.channel.k8s.io";
pub(super) const V4: &str = "v4.channel.k8s.io";
/// The subprotocol of port-forwarding since 1.31: binary messages are a stream of SPDY/3.1 (KEP-4006).
pub(super) const SPDY: &str = "SPDY/3.1+portforward.k8s.io";

/// A request to be upgraded that is in order.
#[derive(Debug)]
pub(super) struct Handshake {
    request: Request,
    accept: String,
    pub(super) protocol: &'static str,
}

impl Handshake {
    /// Reads the handshake (RFC 6455, 4.2.1) and picks the first of `protocols` that the client offers.
    pub(super) fn read(request: Request, protocols: &[&'static str]) -> Result<Handshake, Status> {
        let headers = request.headers();
        let websocket = mentions(headers, &header::UPGRADE, "websocket");
        if !websocket && mentions(headers, &header::UPGRADE, "spdy/3.1") {
            return Err(Status::bad_request("this server streams over WebSocket only, not over SPDY"));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
        let (true, true, true, Some(key)) =
            (websocket, mentions(headers, &header::CONNECTION, "upgrade"), version, key)
        else {
            return Err(Status::bad_request("Upgrade request required"));
        };
        let accept = derive_accept_key(key.as_bytes());
        let name = header::SEC_WEBSOCKET_PROTOCOL;
        let offered = protocols.iter().find(|protocol| mentions(headers, &name, protocol));
        let Some(protocol) = offered.copied() else {
            let message = format!("unable to negotiate protocol: server accepts [{}]", protocols.join(" "));
            return Err(Status::bad_request(message));
        };
        Ok(Handshake { request, accept, protocol })
    }

    /// Answers 101 and hands the connection to `stream` once the client has it.
    pub(super) fn accept<F>(mut self, stream: impl FnOnce(Socket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let upgrade = hyper::upgrade::on(&mut self.request);
        tokio::spawn(async move {
            // The client went away before the answer reached it.
            let Ok(upgraded) = upgrade.await else { return };
            let config = WebSocketConfig::default()
                .max_message_size(Some(MESSAGE))
                .max_frame_size(Some(MESSAGE))
                .write_buffer_size(BLOCK)
                .max_write_buffer_size(MESSAGE);
            let io = TokioIo::new(upgraded);
            stream(WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await).await;
        });
        let response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
            .header(header::SEC_WEBSOCKET_ACCEPT, self.accept)
            .header(header::SEC_WEBSOCKET_PROTOCOL, self.protocol);
        // The parts are all ASCII of our own making.
        response.body(Body::empty()).unwrap_or_default()
    }
}

fn mentions(headers: &HeaderMap, name: &header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// Writes what comes through `queue` until it ends, then says goodbye; false when the client went first.
/// Messages are flushed when none waits behind them, so that many small ones travel together.
pub(super) async fn write(mut sink: SplitSink<Socket, Message>, mut queue: mpsc::Receiver<Bytes>) -> bool {
    while let Some(message) = queue.recv().await {
        let mut sent = sink.feed(Message::Binary(message)).await;
        while let (Ok(()), Ok(more)) = (&sent, queue.try_recv()) {
            sent = sink.feed(Message::Binary(more)).await;
        }
        if sent.is_err() || sink.flush().await.is_err() {
            return false;
        }
    }
    close(sink).await;
    true
}

/// Writes as [`write()`] does, with a second queue that goes before: what is in `urgent` when a message of `queue`
/// is taken is written before that message. The end is the end of `queue`.
pub(super) async fn write_two(
    mut sink: SplitSink<Socket, Message>,
    mut urgent: mpsc::Receiver<Bytes>,
    mut queue: mpsc::Receiver<Bytes>,
) {
    while let Ok(true) = write_some(&mut sink, &mut urgent, &mut queue).await {}
    close(sink).await;
}

/// Waits for messages and writes what there is; false at the end.
async fn write_some(
    sink: &mut SplitSink<Socket, Message>,
    urgent: &mut mpsc::Receiver<Bytes>,
    queue: &mut mpsc::Receiver<Bytes>,
) -> Result<bool, tungstenite::Error> {
    let (mut held, mut more) = (None, true);
    tokio::select! {
        biased;
        Some(message) = urgent.recv() => sink.feed(Message::Binary(message)).await?,
        message = queue.recv() => (held, more) = (message.clone(), message.is_some()),
        () = tokio::time::sleep(IDLE) => sink.feed(Message::Ping(Bytes::new())).await?,
    }
    loop {
        while let Ok(message) = urgent.try_recv() {
            sink.feed(Message::Binary(message)).await?;
        }
        let Some(message) = held.take() else { break };
        sink.feed(Message::Binary(message)).await?;
        held = queue.try_recv().ok();
    }
    sink.flush().await?;
    Ok(more)
}

async fn close(mut sink: SplitSink<Socket, Message>) {
    let end = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    let close = async {
        sink.send(Message::Close(Some(end))).await?;
        sink.close().await
    };
    // A client that does not take it loses nothing: the end is in the stream already.
    let _ = tokio::time::timeout(CLOSING, close).await;
}

/// Waits, not for long, until the client has closed its side too: `reading` still reads from it. Closing a
/// connection with unread bytes in it would take from the client what it has not read yet.
pub(super) async fn part<T>(reading: JoinHandle<T>) {
    let stop = reading.abort_handle();
    if tokio::time::timeout(CLOSING, reading).await.is_err() {
        stop.abort();
    }
}

/// The next message for a channel, empty ones left out; `None` once the client is gone.
pub(super) async fn read(
    stream: &mut (impl futures::Stream<Item = Result<Message, tungstenite::Error>> + Unpin),
) -> Option<(u8, Bytes)> {
    loop {
        let mut message = match stream.next().await? {
            Ok(Message::Binary(message)) => message,
            Ok(Message::Text(text)) => Bytes::from(text),
            Ok(Message::Close(_)) | Err(_) => return None,
            // Pings are answered by the library.
            Ok(_) => continue,
        };
        if message.len() > 1 {
            let payload = message.split_off(1);
            return Some((*message.first()?, payload));
        }
    }
}

/// Reads one block into a message for `channel`; `None` at the end. `buffer` is kept between calls and only
/// allocates when what is left of it is short.
pub(super) async fn block(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    channel: u8,
    buffer: &mut BytesMut,
) -> Option<Bytes> {
    use tokio::io::AsyncReadExt;
    if buffer.capacity() < 4096 {
        buffer.reserve(BLOCK);
    }
    buffer.put_u8(channel);
    match from.read_buf(buffer).await {
        // The end of a PTY is an error by name.
        Ok(0) | Err(_) => None,
        Ok(_) => Some(buffer.split().freeze()),
    }
}

/// A message of text for `channel`.
pub(super) fn text(channel: u8, text: &str) -> Bytes {
    let mut message = BytesMut::with_capacity(1 + text.len());
    message.put_u8(channel);
    message.put_slice(text.as_bytes());
    message.freeze()
}

/// The status that ends a stream well.
pub(super) fn success() -> Value {
    json!({"metadata": {}, "status": "Success"})
}

/// The status that ends a stream for a reason other than an exit code.
pub(super) fn failure(why: &str) -> Value {
    json!({
        "metadata": {}, "status": "Failure", "message": format!("Internal error occurred: {why}"),
        "reason": "InternalError", "details": {"causes": [{"message": why}]}, "code": 500,
    })
}

/// The status of a command that did not end with 0.
pub(super) fn exit_code(argv: &[String], code: i32) -> Value {
    let argv = argv.join(" ");
    json!({
        "metadata": {}, "status": "Failure",
        "message": format!(
            "command terminated with non-zero exit code: error executing command [{argv}], exit code {code}"
        ),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}
