//! The one client that everything in the gateway shares.

use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt};
use tower::ServiceBuilder;

use super::BridgeError;

/// How long a TCP connection and its TLS handshake may take.
const CONNECT: Duration = Duration::from_secs(5);
/// A peer that does not acknowledge for this long is gone, however busy or idle the connection is.
const SILENCE: Duration = Duration::from_secs(45);

/// A client for the cluster that `config` names, with what sessions need and kube's own default client has not:
/// no Nagle delay between a key and its echo, dead peers noticed by TCP itself, and no layer that repeats requests on
/// its own (a command would run twice).
///
/// # Errors
/// When the configuration's credentials or certificates cannot be used.
pub fn connect(config: kube::Config) -> Result<kube::Client, BridgeError> {
    build(config).map_err(|source| BridgeError::Unreachable {
        doing: "reading its credentials",
        source: source.into(),
    })
}

fn build(config: kube::Config) -> Result<kube::Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(Duration::from_secs(15)));
    tcp.set_keepalive_interval(Some(Duration::from_secs(10)));
    tcp.set_keepalive_retries(Some(3));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(SILENCE));
    let https = config.rustls_https_connector_with_connector(tcp)?;
    let http = hyper_util::client::legacy::Builder::new(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(16)
        .build::<_, Body>(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(tower::BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}
