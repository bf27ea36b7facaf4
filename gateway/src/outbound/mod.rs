//! Calls to servers that the configuration names: external checks and webhooks. Every call is bounded in time, every
//! answer in size; redirects are not followed and the environment's proxies not used, since what is sent (tokens,
//! people's reasons) is for the named server and nobody else. Secrets are read from their files at each use, so
//! changing a file is all that it takes to rotate one. A file of certificates is read once, at the start.

use std::error::Error as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, Client, Response, redirect};
use secrecy::SecretString;
use tokio::io::AsyncReadExt;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest file of certificates.
const MAX_CA_BYTES: u64 = 1024 * 1024;
/// The longest file with a secret.
const MAX_SECRET_BYTES: u64 = 16 * 1024;

/// Why a client cannot be made, or a secret not be had.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// A file could not be read, or is not what it should be.
    #[error("cannot use `{path}`: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The client.
    #[error("no HTTP client: {0}")]
    Client(String),
}

/// A client that trusts the certificates in `ca_file`, or the system's. `plain`: it is only ever used without TLS
/// (on loopback), so no certificates are looked for.
pub(crate) fn client(ca_file: Option<&Path>, plain: bool) -> Result<Client, OutboundError> {
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(2)
        .user_agent(concat!("sallyport/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca_file {
        let failed = |why: String| OutboundError::File { path: path.to_owned(), why };
        let mut pem = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_CA_BYTES).read_to_end(&mut pem))
            .map_err(|error| failed(error.to_string()))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(chain(&error)))?;
        if certificates.is_empty() {
            return Err(failed("there is no PEM certificate in it".to_owned()));
        }
        builder = builder.tls_certs_only(certificates);
    } else if plain {
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| OutboundError::Client(chain(&error)))
}

/// What a secret's file holds, without the white space around it.
pub(crate) async fn secret(path: &Path) -> Result<SecretString, OutboundError> {
    let failed = |why: String| OutboundError::File { path: path.to_owned(), why };
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await.map_err(|error| failed(error.to_string()))?;
    file.take(MAX_SECRET_BYTES).read_to_string(&mut text).await.map_err(|error| failed(error.to_string()))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(failed("it is empty".to_owned()));
    }
    Ok(SecretString::from(text))
}

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is longer than allowed.
    TooLong,
    /// The connection broke.
    Broken(String),
}

/// The answer's body, if it is no longer than `max`.
pub(crate) async fn body(mut response: Response, max: usize) -> Result<Vec<u8>, BodyError> {
    if response.content_length().is_some_and(|length| length > max as u64) {
        return Err(BodyError::TooLong);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| BodyError::Broken(chain(&error)))? {
        if body.len() + chunk.len() > max {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error's causes in one line, without the URL: that may be a secret.
pub(crate) fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    let text = causes.join(": ");
    match text.is_empty() {
        false => text,
        true if error.is_timeout() => "no answer in time".to_owned(),
        true => "the exchange failed".to_owned(),
    }
}

/// A pause between two thirds of `whole` and `whole`, so that many who wait do not come back at once.
pub(crate) fn jittered(whole: Duration) -> Duration {
    whole.mul_f64(rand::random_range(0.67..=1.0))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[tokio::test]
    async fn a_secret_is_read_anew_and_without_its_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(secret(&path).await.unwrap().expose_secret(), "one");
        std::fs::write(&path, " two ").unwrap();
        assert_eq!(secret(&path).await.unwrap().expose_secret(), "two");
    }

    #[tokio::test]
    async fn a_secret_that_is_empty_or_absent_is_refused_by_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(secret(&path).await.unwrap_err().to_string().contains("token"));
        std::fs::write(&path, "\n").unwrap();
        assert!(secret(&path).await.unwrap_err().to_string().ends_with("it is empty"));
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        assert!(client(Some(&path), false).is_err());
        std::fs::write(&path, "nothing\n").unwrap();
        let error = client(Some(&path), false).unwrap_err().to_string();
        assert!(error.contains("no PEM certificate"), "{error}");
    }

    #[test]
    fn a_pause_stays_in_its_bounds() {
        let whole = Duration::from_secs(3);
        assert!((0..100).all(|_| (Duration::from_secs(2)..=whole).contains(&jittered(whole))));
    }
}
