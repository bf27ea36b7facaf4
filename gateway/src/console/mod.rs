//! The HTTP side: pages for people who decide in a browser, the same as JSON for programs, and the cluster's probes.
//!
//! Nothing is decided here: pages and JSON ask [`crate::access`] as the lobby does, as the person who is signed in or
//! whose ID token is shown. A browser's session exists only in this process (`session`), forms count only with their
//! session's word and from our own origin (`guard`, `login`), and what a page says is either markup in this source or
//! escaped text (`html`). TLS ends in front of the gateway: whoever can read that wire can read cookies.

mod api;
mod ask;
mod decide;
mod form;
mod guard;
mod health;
mod html;
mod http;
mod links;
mod login;
mod no;
mod pages;
mod place;
mod public;
mod request;
mod rows;
mod secret;
mod session;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use links::Links;

use crate::access::Access;
use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::identity::Oidc;
use public::Public;
use session::{Sessions, SignIns};

/// How many answers from the provider are looked into at a time.
const EXCHANGES: usize = 64;

/// What the console is made of.
#[derive(Debug)]
pub struct Parts {
    /// Policies and requests.
    pub access: Access,
    /// Where sign-ins are written down.
    pub audit: Audit,
    /// Who people are.
    pub oidc: Arc<Oidc>,
    /// The time.
    pub clock: SharedClock,
    /// The address that browsers know this gateway by; nobody signs in in a browser without.
    pub public_url: Option<Url>,
    /// How long a session may be.
    pub longest: Duration,
    /// Checks links.
    pub links: Links,
}

type App = Arc<Inner>;

#[derive(Debug)]
struct Inner {
    access: Access,
    audit: Audit,
    oidc: Arc<Oidc>,
    clock: SharedClock,
    public: Option<Public>,
    links: Links,
    sessions: Sessions,
    sign_ins: SignIns,
    exchanges: Semaphore,
}

const STYLE: &str = include_str!("style.css");

/// Serves until `shutdown`.
pub async fn serve(listener: TcpListener, parts: Parts, shutdown: CancellationToken) {
    let app = Arc::new(Inner {
        public: parts.public_url.as_ref().and_then(Public::new),
        sessions: Sessions::new(parts.longest),
        sign_ins: SignIns::default(),
        exchanges: Semaphore::new(EXCHANGES),
        access: parts.access,
        audit: parts.audit,
        oidc: parts.oidc,
        clock: parts.clock,
        links: parts.links,
    });
    http::serve(listener, router(app), shutdown).await;
}

fn router(app: App) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/requests/{name}", get(request::page))
        .route("/requests/{name}/{verb}", post(decide::post))
        .route("/a/{name}", get(login::link))
        .route("/login", get(login::login))
        .route("/callback", get(login::callback))
        .route("/logout", post(login::logout))
        .route(
            "/static/style.css",
            get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }),
        )
        .fallback(pages::nothing)
        .layer(from_fn_with_state(Arc::clone(&app), guard::only_our_forms))
        .nest("/api/v1", api::router())
        .layer(from_fn_with_state(Arc::clone(&app), guard::headers))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(app)
}
