//! What a cluster's probes ask. `/healthz` says that the process lives, `/readyz` that people can be served: policies
//! and requests are known and fresh, and events can be written. No more than that is told to a stranger.

use axum::extract::State;
use axum::http::StatusCode;

use super::App;

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

pub(super) async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if !app.audit.healthy() {
        return (StatusCode::SERVICE_UNAVAILABLE, "events cannot be written\n");
    }
    if !app.access.healthy() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the Kubernetes API is out of reach\n");
    }
    (StatusCode::OK, "ok\n")
}
