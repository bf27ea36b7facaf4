//! From an HTTP request to a two-way connection: a WebSocket, or bare bytes for SPDY.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::BridgeError;
use super::call::Caller;

/// Largest frame and message that is taken. Kubelets send 32 KiB at a time.
const MAX_FRAME: usize = 1024 * 1024;
/// Largest piece that is sent in one frame.
pub(super) const PIECE: usize = 128 * 1024;

pub(super) type Raw = TokioIo<Upgraded>;
pub(super) type Socket = WebSocketStream<Raw>;

const SPDY: &str = "SPDY/3.1";
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// Opens a WebSocket, and says which of `protocols` the server chose.
pub(super) async fn websocket(
    caller: &Caller,
    doing: &'static str,
    path: &str,
    protocols: &[&'static str],
) -> Result<(Socket, &'static str), BridgeError> {
    let key = generate_key();
    let mut headers = asking(doing, "websocket")?;
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_KEY, value(doing, &key)?);
    // One header with a list: several headers are not understood.
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value(doing, &protocols.join(", "))?);
    let response = switched(caller, doing, Method::GET, path, headers).await?;
    if given(&response, &header::SEC_WEBSOCKET_ACCEPT) != Some(&derive_accept_key(key.as_bytes())) {
        return Err(odd(doing, "an upgrade that answers another question"));
    }
    let chosen = given(&response, &header::SEC_WEBSOCKET_PROTOCOL);
    let chosen = protocols.iter().find(|protocol| Some(**protocol) == chosen);
    let protocol = *chosen.ok_or_else(|| odd(doing, "no protocol in common"))?;
    let config = WebSocketConfig::default()
        .read_buffer_size(64 * 1024)
        .write_buffer_size(PIECE)
        .max_write_buffer_size(8 * PIECE)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    let raw = raw(doing, response).await?;
    Ok((Socket::from_raw_socket(raw, Role::Client, Some(config)).await, protocol))
}

/// Upgrades to SPDY/3.1, for servers that know nothing better.
pub(super) async fn spdy(
    caller: &Caller,
    doing: &'static str,
    path: &str,
    protocol: &'static str,
) -> Result<Raw, BridgeError> {
    let mut headers = asking(doing, SPDY)?;
    headers.insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
    let response = switched(caller, doing, Method::POST, path, headers).await?;
    if given(&response, &STREAM_PROTOCOL) != Some(protocol) {
        return Err(odd(doing, "no protocol in common"));
    }
    raw(doing, response).await
}

fn asking(doing: &'static str, what: &str) -> Result<HeaderMap, BridgeError> {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, value(doing, what)?);
    Ok(headers)
}

async fn switched(
    caller: &Caller,
    doing: &'static str,
    method: Method,
    path: &str,
    headers: HeaderMap,
) -> Result<Response<Body>, BridgeError> {
    let response = caller.send(doing, method, path, &headers).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        Ok(response)
    } else {
        Err(odd(doing, "no upgrade; a proxy before the API server may not let it pass"))
    }
}

async fn raw(doing: &'static str, response: Response<Body>) -> Result<Raw, BridgeError> {
    let upgraded = hyper::upgrade::on(response).await;
    upgraded.map(TokioIo::new).map_err(|source| BridgeError::Lost { doing, source: source.into() })
}

fn given<'a>(response: &'a Response<Body>, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

fn value(doing: &'static str, text: &str) -> Result<HeaderValue, BridgeError> {
    HeaderValue::from_str(text).map_err(|_| odd(doing, "our own header"))
}

fn odd(doing: &'static str, why: &'static str) -> BridgeError {
    BridgeError::Protocol { doing, source: why.into() }
}
