//! TCP connections into a pod, through the API server.
//!
//! Over `v4.channel.k8s.io`, one WebSocket a connection: channel 0 is data, channel 1 carries the kubelet's error text,
//! and each begins with the port in two bytes. This protocol cannot say that one direction is over.

use std::time::Duration;

use bytes::Bytes;

use super::call::Caller;
use super::socket::{self, Reader, Writer};
use super::{Admitted, BridgeError};
use crate::terminal::clean;

const DATA: u8 = 0;
const ERROR: u8 = 1;
const DOING: &str = "opening a tunnel";

/// How long is waited for the kubelet to say that nobody listens. It answers at once when so, and says nothing when
/// the connection stands; SSH can tell a refusal only before a channel is open.
const REFUSAL: Duration = Duration::from_millis(60);

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
        false
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
        if bytes.is_empty() { Ok(()) } else { self.writer.send(DATA, bytes).await }
    }

    /// Says that no more is coming. Without [`Tunnel::half_close_supported`] this does nothing.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn eof(&self) -> Result<(), BridgeError> {
        Ok(())
    }

    /// Ends the connection, both directions.
    pub async fn close(&self) {
        self.writer.close().await;
    }
}

/// From the pod.
pub struct TunnelOutput {
    reader: Reader,
    /// Port prefixes that have not come yet, per channel.
    prefix: [bool; 2],
    waiting: Option<Bytes>,
    pod: String,
    port: u16,
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
    /// What comes next; `None` when the pod has closed. Can be dropped and called again without loss. Not calling it
    /// for a while is backpressure.
    pub async fn next(&mut self) -> Option<Result<Bytes, BridgeError>> {
        if let Some(bytes) = self.waiting.take() {
            return Some(Ok(bytes));
        }
        loop {
            let (channel, mut bytes) = match self.reader.next().await? {
                Ok(message) => message,
                Err(error) => return Some(Err(error)),
            };
            if let Some(expected) = self.prefix.get_mut(usize::from(channel)).filter(|expected| **expected) {
                *expected = false;
                let _port = bytes.split_to(bytes.len().min(2));
            }
            match channel {
                _ if bytes.is_empty() => {}
                DATA => return Some(Ok(bytes)),
                ERROR => return Some(Err(self.failed(&bytes))),
                _ => {}
            }
        }
    }

    fn failed(&self, said: &[u8]) -> BridgeError {
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

/// Connects to `port` of the pod that `place` names.
pub(super) async fn dial(caller: &Caller, place: &Admitted, port: u16) -> Result<Tunnel, BridgeError> {
    let path =
        format!("/api/v1/namespaces/{}/pods/{}/portforward?ports={port}", place.namespace(), place.pod());
    let (writer, reader, _) = socket::open(caller, DOING, &path, &["v4.channel.k8s.io"])
        .await
        .map_err(|error| place.name(error))?;
    let mut output =
        TunnelOutput { reader, prefix: [true, true], waiting: None, pod: place.pod().to_string(), port };
    match tokio::time::timeout(REFUSAL, output.next()).await {
        Ok(Some(Ok(bytes))) => output.waiting = Some(bytes),
        Ok(Some(Err(error))) => return Err(error),
        // Connected and closed at once: for the person's client that is a connection without a word.
        Ok(None) | Err(_) => {}
    }
    Ok(Tunnel { input: TunnelInput { writer }, output })
}
