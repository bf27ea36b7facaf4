//! TCP connections into a pod, through the API server.
//!
//! One connection each. Since 1.31 servers take SPDY inside a WebSocket, older ones bare SPDY; both keep half-closed
//! connections. Where neither passes, `v4.channel.k8s.io` is left: channel 0 is data, channel 1 the kubelet's error text,
//! each begins with the port in two bytes, and nothing can say that one direction is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::call::Caller;
use super::wire::{self, Reader, Writer};
use super::{Admitted, BridgeError, upgrade};
use crate::terminal::clean;

const DATA: u8 = 0;
const ERROR: u8 = 1;
const DOING: &str = "opening a tunnel";

const V4: &str = "v4.channel.k8s.io";
const SPDY: &str = "portforward.k8s.io";
const SPDY_IN_WEBSOCKET: &str = "SPDY/3.1+portforward.k8s.io";

/// How long is waited at least for the kubelet to say that nobody listens. It answers at once when so, and says nothing when
/// the connection stands; SSH can tell a refusal only before a channel is open. Only the first connection to a port
/// waits ([`Standing`]), and a busy node takes its time.
const REFUSAL: Duration = Duration::from_millis(200);
/// And at most.
const SLOWEST_REFUSAL: Duration = Duration::from_secs(1);

/// One TCP connection to a pod.
#[derive(Debug)]
pub struct Tunnel {
    input: TunnelInput,
    output: TunnelOutput,
}

impl Tunnel {
    /// The two directions, for two tasks.
    #[must_use]
    pub fn split(self) -> (TunnelInput, TunnelOutput) {
        (self.input, self.output)
    }

    /// Whether the pod can be told that no more is coming while it still answers.
    #[must_use]
    pub const fn half_close_supported(&self) -> bool {
        self.input.writer.can_end()
    }
}

/// Towards the pod.
pub struct TunnelInput {
    writer: Writer,
}

impl std::fmt::Debug for TunnelInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TunnelInput").finish_non_exhaustive()
    }
}

impl TunnelInput {
    /// Sends. Waits while the pod does not read.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn write(&self, bytes: Bytes) -> Result<(), BridgeError> {
        self.writer.send(DATA, bytes).await
    }

    /// Says that no more is coming. Without [`Tunnel::half_close_supported`] this does nothing.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn eof(&self) -> Result<(), BridgeError> {
        self.writer.end(DATA).await
    }

    /// Ends the connection, both directions.
    pub async fn close(&self) {
        self.writer.close().await;
    }
}

/// From the pod.
pub struct TunnelOutput {
    reader: Reader,
    /// Whether an empty message says that the channel is over.
    ends: bool,
    /// Whether the pod has closed its side.
    over: bool,
    /// Port prefixes that have not come yet, per channel.
    prefix: [bool; 2],
    waiting: Option<Bytes>,
    /// How long a refusal may take to get here.
    patience: Duration,
    pod: String,
    port: u16,
    standing: Standing,
    key: String,
}

impl std::fmt::Debug for TunnelOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TunnelOutput")
            .field("pod", &self.pod)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl TunnelOutput {
    /// What comes next; `None` when the pod has closed its side. Can be dropped and called again without loss. Not calling it
    /// for a while is backpressure.
    pub async fn next(&mut self) -> Option<Result<Bytes, BridgeError>> {
        if let Some(bytes) = self.waiting.take() {
            return Some(Ok(bytes));
        }
        loop {
            let message = match self.over {
                // A connection that never stood is told by its end first and by its error right after.
                true => tokio::time::timeout(self.patience, self.reader.next()).await.ok().flatten(),
                false => self.reader.next().await,
            };
            let (channel, mut bytes) = match message? {
                Ok(message) => message,
                Err(error) => return Some(Err(error)),
            };
            if let Some(expected) = self.prefix.get_mut(usize::from(channel)).filter(|expected| **expected) {
                *expected = false;
                let _port = bytes.split_to(bytes.len().min(2));
            }
            match channel {
                DATA if bytes.is_empty() && self.ends => self.over = true,
                ERROR if bytes.is_empty() && self.over => return None,
                _ if bytes.is_empty() => {}
                DATA => return Some(Ok(bytes)),
                ERROR => return Some(Err(self.failed(&bytes))),
                _ => {}
            }
        }
    }

    fn failed(&self, said: &[u8]) -> BridgeError {
        self.standing.forget(&self.key);
        let (pod, port) = (self.pod.clone(), self.port);
        let message = clean(String::from_utf8_lossy(said).trim());
        if message.contains("connection refused") {
            return BridgeError::ConnectionRefused { pod, port };
        }
        // The text begins with ids of sandboxes that mean nothing to people.
        let message = message.rsplit_once("inside namespace ").map_or(message.as_str(), |(_, end)| end);
        BridgeError::ConnectionFailed { pod, port, message: message.chars().take(300).collect() }
    }
}

/// Ports at which a connection stood a moment ago, so that the next one need not wait for a refusal.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    seen: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Standing {
    const FRESH: Duration = Duration::from_secs(30);
    const MOST: usize = 1_024;

    fn recently(&self, key: &str) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(key).is_some_and(|at| at.elapsed() < Self::FRESH)
    }

    fn note(&self, key: String) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= Self::MOST {
            seen.retain(|_, at| at.elapsed() < Self::FRESH);
        }
        if seen.len() < Self::MOST {
            seen.insert(key, Instant::now());
        }
    }

    fn forget(&self, key: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Connects to `port` of the pod that `place` names.
pub(super) async fn dial(
    caller: &Caller,
    standing: &Standing,
    place: &Admitted,
    port: u16,
) -> Result<Tunnel, BridgeError> {
    let (namespace, pod) = (place.namespace(), place.pod());
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}");
    let begun = Instant::now();
    let (writer, reader) = connect(caller, &path, port).await.map_err(|error| place.name(error))?;
    // A refusal goes the same ways as the handshake did, past the same servers with as much to do.
    let patience = (2 * begun.elapsed()).clamp(REFUSAL, SLOWEST_REFUSAL);
    let ends = writer.can_end();
    let key = format!("{namespace}/{pod}:{port}");
    let mut output = TunnelOutput {
        reader,
        ends,
        over: false,
        prefix: [!ends, !ends],
        waiting: None,
        patience,
        pod: pod.to_string(),
        port,
        standing: standing.clone(),
        key: key.clone(),
    };
    if !standing.recently(&key) {
        match tokio::time::timeout(patience, output.next()).await {
            Ok(Some(Ok(bytes))) => output.waiting = Some(bytes),
            Ok(Some(Err(error))) => return Err(error),
            // Connected and closed at once: for the person's client that is a connection without a word.
            Ok(None) | Err(_) => {}
        }
    }
    standing.note(key);
    Ok(Tunnel { input: TunnelInput { writer }, output })
}

async fn connect(caller: &Caller, path: &str, port: u16) -> Result<(Writer, Reader), BridgeError> {
    let port = port.to_string();
    // Names are lower case in SPDY; a stream with others is reset.
    let headers = |kind| [("streamtype", kind), ("port", port.as_str()), ("requestid", "0")];
    let (data, error) = (headers("data"), headers("error"));
    let streams: [wire::StreamOf<'_>; 2] = [(&data, false), (&error, true)];
    if !caller.server().await.tunnels_in_websockets {
        match upgrade::spdy(caller, DOING, path, SPDY).await {
            Ok(raw) => return wire::streams(raw, &streams, DOING).await,
            Err(BridgeError::Protocol { source, .. }) => {
                tracing::debug!(%source, "no SPDY to this cluster; tunnels cannot be half-closed");
            }
            Err(error) => return Err(error),
        }
    }
    let (socket, protocol) = upgrade::websocket(caller, DOING, path, &[SPDY_IN_WEBSOCKET, V4]).await?;
    match protocol {
        V4 => Ok(wire::channels(socket, false, DOING)),
        _ => wire::streams_in(socket, &streams, DOING).await,
    }
}
