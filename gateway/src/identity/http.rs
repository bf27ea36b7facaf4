//! Asking the provider over HTTP: every answer bounded in time and size, no redirects, nothing unencrypted
//! except on loopback.

use std::error::Error as _;
use std::io::Read;
use std::time::Duration;

use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, redirect};
use url::Url;

use super::IdentityError;
use super::error::FetchError;
use super::settings::{OidcSettings, is_loopback};

/// No exchange with the provider takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read.
pub(super) const MAX_ANSWER_BYTES: usize = 512 * 1024;

/// The longest file of certificates.
const MAX_CA_BYTES: u64 = 1024 * 1024;

/// A client as the settings want it.
pub(super) fn client(settings: &OidcSettings, issuer: &Url) -> Result<Client, IdentityError> {
    let mut builder = Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(2)
        .user_agent(concat!("sallyport/", env!("CARGO_PKG_VERSION")));
    if is_loopback(issuer) {
        // No proxy stands between a process and its own machine, and no certificate is looked at.
        builder = builder.no_proxy().tls_certs_only([]);
    } else if let Some(path) = &settings.ca_file {
        let failed = |source| IdentityError::File { path: path.clone(), source };
        let mut pem = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_CA_BYTES).read_to_end(&mut pem))
            .map_err(|error| failed(error.into()))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.into()))?;
        if certificates.is_empty() {
            return Err(failed("there is no PEM certificate in it".into()));
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|error| {
        IdentityError::Settings(format!("no HTTP client for the provider: {}", chain(&error)))
    })
}

/// Sends the request and reads what comes back.
pub(super) async fn exchange(
    what: &'static str,
    url: &Url,
    request: RequestBuilder,
) -> Result<(StatusCode, Vec<u8>), FetchError> {
    let failed = |error: reqwest::Error| FetchError::Failed {
        what,
        url: url.to_string(),
        why: chain(&error),
        arrived: !error.is_connect(),
    };
    let mut response: Response = request.send().await.map_err(failed)?;
    let too_long = || FetchError::TooLong { what, url: url.to_string(), max: MAX_ANSWER_BYTES };
    if response.content_length().is_some_and(|length| length > MAX_ANSWER_BYTES as u64) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

/// Fetches a document that is there or not.
pub(super) async fn get(client: &Client, what: &'static str, url: &Url) -> Result<Vec<u8>, FetchError> {
    let request = client.get(url.clone()).header("accept", "application/json");
    let (status, body) = exchange(what, url, request).await?;
    if status != StatusCode::OK {
        return Err(FetchError::Status { what, url: url.to_string(), status: status.as_u16() });
    }
    Ok(body)
}

/// An error and its causes in one line, without the URL that stands beside it anyway.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}
