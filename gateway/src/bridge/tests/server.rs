//! An API server for one test: each connection is given to the next script.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use jiff::Timestamp;
use sallyport_policy::{Action, ContainerName, Namespace, PodName, RequestName, Window};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::access::Permit;
use crate::bridge::call::Caller;
use crate::bridge::{Admitted, Bridge, connect};
use crate::clock::{Clock, ManualClock};
use crate::identity::Identity;
use crate::record::SessionId;

pub(super) const NOW: &str = "2026-11-21T12:00:00Z";

/// What a script is given: a request whose head has been read, and the connection.
pub(super) struct Ask {
    pub(super) line: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) tcp: TcpStream,
}

pub(super) type Script = Box<dyn Fn(Ask) -> BoxFuture<'static, Option<TcpStream>> + Send + Sync>;

/// A script from an async closure. It returns the connection if it can be used again.
pub(super) fn script<F>(run: impl Fn(Ask) -> F + Send + Sync + 'static) -> Script
where
    F: Future<Output = Option<TcpStream>> + Send + 'static,
{
    Box::new(move |ask| Box::pin(run(ask)))
}

/// Answers every request by `answer`, and notes request lines.
pub(super) struct Server {
    pub(super) bridge: Bridge,
    pub(super) clock: Arc<ManualClock>,
    pub(super) lines: mpsc::UnboundedReceiver<String>,
}

impl Server {
    pub(super) async fn start(answer: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (noted, lines) = mpsc::unbounded_channel();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (answer, noted) = (Arc::clone(&answer), noted.clone());
                tokio::spawn(async move {
                    let mut next = Some(tcp);
                    while let Some(tcp) = next.take() {
                        let Some(ask) = read_head(tcp).await else { return };
                        let _ = noted.send(ask.line.clone());
                        next = answer(ask).await;
                    }
                });
            }
        });
        let config = kube::Config::new(url.parse().unwrap());
        let clock = ManualClock::at(NOW.parse().unwrap());
        Self { bridge: Bridge::new(connect(config).unwrap(), clock.clone()), clock, lines }
    }

    /// A permit from a minute ago for five minutes.
    pub(super) fn permit(&self, action: Action) -> Permit {
        self.permit_since(action, self.clock.now() - Duration::from_secs(60))
    }

    pub(super) fn permit_since(&self, action: Action, start: Timestamp) -> Permit {
        Permit::for_tests(
            Identity::for_tests("alice@example.com", &["oncall"]),
            &RequestName::parse("oncall-debug-bcdfgh").unwrap(),
            action,
            &Namespace::parse("payments").unwrap(),
            Window { start, end: start + Duration::from_secs(300) },
        )
    }

    pub(super) fn caller(&self, permit: &Permit) -> Caller {
        let Bridge { base, server, clock, .. } = &self.bridge;
        Caller::new(base, server, clock, permit, &SessionId::new(self.clock.now())).unwrap()
    }

    pub(super) fn place(&self, action: Action) -> Admitted {
        Admitted {
            caller: self.caller(&self.permit(action)),
            pod: PodName::parse("api-0").unwrap(),
            container: ContainerName::parse("app").unwrap(),
        }
    }
}

async fn read_head(mut tcp: TcpStream) -> Option<Ask> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Some(Ask { line, headers, tcp })
}

impl Ask {
    /// Answers and keeps the connection.
    pub(super) async fn json(mut self, status: &str, body: &str) -> Option<TcpStream> {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.tcp.write_all(answer.as_bytes()).await.ok()?;
        Some(self.tcp)
    }

    /// The server's version, if that is asked for.
    pub(super) async fn version(self, minor: u32) -> Result<Option<TcpStream>, Self> {
        if self.line != "GET /version HTTP/1.1" {
            return Err(self);
        }
        let body = format!(
            r#"{{"major":"1","minor":"{minor}","gitVersion":"v1.{minor}.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}}"#
        );
        Ok(self.json("200 OK", &body).await)
    }

    /// Takes the upgrade with this protocol.
    pub(super) async fn socket(mut self, protocol: &str) -> Peer {
        assert!(self.headers["sec-websocket-protocol"].split(", ").any(|offered| offered == protocol));
        let accept = derive_accept_key(self.headers["sec-websocket-key"].as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
        );
        self.tcp.write_all(answer.as_bytes()).await.unwrap();
        Peer(WebSocketStream::from_raw_socket(self.tcp, Role::Server, None).await)
    }

    /// Takes the upgrade to bare SPDY.
    pub(super) async fn spdy(mut self, protocol: &str) -> TcpStream {
        assert_eq!(self.headers["upgrade"], "SPDY/3.1");
        assert_eq!(self.headers["x-stream-protocol-version"], protocol);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {protocol}\r\n\r\n"
        );
        self.tcp.write_all(answer.as_bytes()).await.unwrap();
        self.tcp
    }
}

/// The server's end of a WebSocket.
pub(super) struct Peer(pub(super) WebSocketStream<TcpStream>);

impl Peer {
    pub(super) async fn send(&mut self, channel: u8, bytes: &[u8]) {
        let mut frame = vec![channel];
        frame.extend_from_slice(bytes);
        let _ = self.0.send(Message::Binary(frame.into())).await;
    }

    /// The next binary message; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.0.next().await?.ok()? {
                Message::Binary(bytes) => return Some(bytes),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    pub(super) async fn exit(mut self, code: u8) -> Option<TcpStream> {
        self.send(3, status(code).as_bytes()).await;
        let _ = self.0.close(None).await;
        None
    }
}

pub(super) fn status(code: u8) -> String {
    match code {
        0 => r#"{"metadata":{},"status":"Success"}"#.to_owned(),
        code => format!(
            r#"{{"status":"Failure","reason":"NonZeroExitCode","details":{{"causes":[{{"reason":"ExitCode","message":"{code}"}}]}}}}"#
        ),
    }
}
