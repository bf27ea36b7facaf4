//! Reading request bodies, bounded, as JSON or YAML.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;

use super::request::header;
use super::{LARGEST_BODY, protobuf};
use crate::cluster::status::Status;

/// A body has this long to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The content type without parameters.
pub(super) fn content_type(headers: &HeaderMap) -> &str {
    header(headers, "content-type").split(';').next().unwrap_or("").trim()
}

/// The whole body; 413 beyond the limit.
pub(super) async fn bytes(request: Request<Body>) -> Result<bytes::Bytes, Status> {
    let whole = Limited::new(request.into_body(), LARGEST_BODY).collect();
    let Ok(whole) = tokio::time::timeout(PATIENCE, whole).await else {
        return Err(Status::new(
            StatusCode::REQUEST_TIMEOUT,
            "Timeout",
            "the request body did not arrive in time",
        ));
    };
    match whole {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => Err(Status::too_large(LARGEST_BODY)),
        Err(_) => Err(Status::bad_request("the request body could not be read")),
    }
}

/// The body as an object; an empty body is `None`.
pub(super) async fn object(request: Request<Body>) -> Result<Option<Value>, Status> {
    let kind = content_type(request.headers()).to_owned();
    let bytes = bytes(request).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let value = match kind.as_str() {
        "application/yaml" => yaml(&bytes)?,
        "" | "application/json" => json(&bytes)?,
        protobuf::CONTENT_TYPE => protobuf::decode(&bytes)?,
        other => {
            return Err(unsupported(
                &["application/json", "application/yaml", protobuf::CONTENT_TYPE],
                other,
            ));
        }
    };
    if !value.is_object() {
        return Err(Status::bad_request(
            "couldn't get version/kind; json parse error: the body is not an object",
        ));
    }
    Ok(Some(value))
}

/// 415, naming what would be taken.
pub(super) fn unsupported(taken: &[&str], _given: &str) -> Status {
    let taken = taken.join(", ");
    let message =
        format!("the body of the request was in an unknown format - accepted media types include: {taken}");
    Status::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
}

/// JSON; nesting is bounded by the parser.
pub(super) fn json(bytes: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(bytes)
        .map_err(|e| Status::bad_request(format!("couldn't get version/kind; json parse error: {e}")))
}

/// YAML (JSON is YAML too).
pub(super) fn yaml(bytes: &[u8]) -> Result<Value, Status> {
    let text = std::str::from_utf8(bytes).map_err(|_| Status::bad_request("yaml: the body is not UTF-8"))?;
    serde_saphyr::from_str(text).map_err(|e| Status::bad_request(format!("yaml: {e}")))
}
