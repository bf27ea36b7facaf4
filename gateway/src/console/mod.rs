//! The HTTP side: for now, what a cluster's probes ask. `/healthz` says that the process lives, `/readyz` that
//! people can be served: policies and requests are known and fresh, and events can be written. No more than
//! that is told to a stranger.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::audit::Audit;

#[derive(Clone)]
struct Health {
    access: Access,
    audit: Audit,
}

/// Serves until `shutdown`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    access: Access,
    audit: Audit,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(Health { access, audit });
    axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if !health.audit.healthy() {
        return (StatusCode::SERVICE_UNAVAILABLE, "events cannot be written\n");
    }
    if !health.access.healthy() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the Kubernetes API is out of reach\n");
    }
    (StatusCode::OK, "ok\n")
}
