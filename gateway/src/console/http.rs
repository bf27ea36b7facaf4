//! Connections: HTTP/1.1, bounded in number (in all, and from one address), in the time that a head may take, and in
//! their length. TLS ends in front of the gateway.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a request's head may take, and how long a connection waits for the next request.
const HEAD: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// The longest head, in bytes: an ID token with many groups fits.
const MAX_HEAD: usize = 128 * 1024;
/// A connection takes no more requests after this,
const LIFE: Duration = Duration::from_secs(if cfg!(test) { 20 } else { 120 });
/// and is gone after this in addition: an approval waits for up to 20 seconds.
const LAST: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });
/// Connections in all, and from one address. A proxy in front is one address; the cluster's probes are others.
const MOST: usize = 1024;
const MOST_FROM_ONE: usize = if cfg!(test) { 64 } else { 768 };

/// The other end of a connection; with a proxy in front, the proxy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Who has how many connections.
#[derive(Debug, Clone, Default)]
struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

struct Taken(Places, IpAddr);

impl Places {
    fn take(&self, from: IpAddr) -> Option<Taken> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let count = counts.entry(from).or_default();
        if all >= MOST || *count >= MOST_FROM_ONE {
            return None;
        }
        *count += 1;
        Some(Taken(self.clone(), from))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Serves until `shutdown`, and then until the last answer is out or takes too long.
pub(super) async fn serve(listener: TcpListener, app: Router, shutdown: CancellationToken) {
    let (places, mut open) = (Places::default(), JoinSet::new());
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                // Turned away without a word where there are too many: a word would cost what is short.
                if let Some(taken) = places.take(peer.ip()) {
                    open.spawn(connection(socket, Peer(peer), app.clone(), shutdown.clone(), taken));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be taken");
                // Out of file descriptors, mostly: some come back.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    let _ = timeout(LAST, async { while open.join_next().await.is_some() {} }).await;
}

async fn connection(socket: TcpStream, peer: Peer, app: Router, shutdown: CancellationToken, taken: Taken) {
    let _ = socket.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let app = app.clone();
        async move {
            Ok::<_, Infallible>(app.oneshot(request.map(Body::new)).await.unwrap_or_else(|no| match no {}))
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(MAX_HEAD);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        // What ends a connection is the other side's to know.
        _ = connection.as_mut() => return,
        () = shutdown.cancelled() => {}
        () = sleep(LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LAST, connection).await;
    drop(taken);
}
