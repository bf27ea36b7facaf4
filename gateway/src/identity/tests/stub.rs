//! A provider that answers exactly what it is told to, one request a connection, with or without TLS.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) header: String,
}

impl Reply {
    pub(super) fn json(value: &Value) -> Self {
        Self { status: 200, body: value.to_string(), header: String::new() }
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        Self { status, ..Self::json(&json!({ "error": code })) }
    }
}

/// What was asked: path, headers in lower case, body.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) head: String,
    pub(super) body: String,
}

#[derive(Debug, Default)]
struct Shared {
    /// Replies by path, in turn; the last one stays.
    replies: Mutex<HashMap<String, VecDeque<Reply>>>,
    asked: Mutex<Vec<Asked>>,
    /// Paths whose answers wait.
    held: Mutex<HashMap<String, Arc<Semaphore>>>,
}

#[derive(Debug)]
pub(super) struct Stub {
    issuer: String,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl Stub {
    pub(super) async fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), None)
    }

    pub(super) fn listen(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let issuer = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (shared, stop) = (Arc::<Shared>::default(), CancellationToken::new());
        let (state, stopped) = (shared.clone(), stop.clone());
        tokio::spawn(stopped.run_until_cancelled_owned(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (state, tls) = (state.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(socket).await {
                                serve(&state, stream).await;
                            }
                        }
                        None => serve(&state, socket).await,
                    }
                });
            }
        }));
        Self { issuer, shared, _stop: stop.drop_guard() }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Sets what a path answers from now on.
    pub(super) fn answer(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.shared.replies.lock().unwrap().insert(path.to_owned(), replies);
    }

    /// Sets the discovery document, with these changes.
    pub(super) fn describe(&self, change: &Value) {
        let issuer = &self.issuer;
        let mut document = json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/jwks"),
            "token_endpoint": format!("{issuer}/token"),
            "device_authorization_endpoint": format!("{issuer}/device"),
            "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
        });
        document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.answer("/.well-known/openid-configuration", [Reply::json(&document)]);
    }

    pub(super) fn publish(&self, keys: &[Value]) {
        self.answer("/jwks", [Reply::json(&json!({ "keys": keys }))]);
    }

    /// Holds back this path's answers until there are permits for them.
    pub(super) fn hold(&self, path: &str) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.shared.held.lock().unwrap().insert(path.to_owned(), gate.clone());
        gate
    }

    /// What was asked for on this path.
    pub(super) fn asked(&self, path: &str) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

async fn serve(shared: &Shared, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok())
        .unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let body = String::from_utf8(bytes[end..].to_vec()).unwrap();
    let reply = {
        let mut replies = shared.replies.lock().unwrap();
        let queue = replies.entry(path.clone()).or_default();
        if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() }
    };
    let gate = shared.held.lock().unwrap().get(&path).cloned();
    shared.asked.lock().unwrap().push(Asked { path, head, body });
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    let Some(Reply { status, body, header }) = reply else { return };
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n{header}\r\n{body}");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
