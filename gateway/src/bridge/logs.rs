//! A container's log, as it comes.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use url::form_urlencoded::Serializer;

use super::call::Caller;
use super::{Admitted, BridgeError};

const DOING: &str = "reading a log";

/// Which part of a log, and how.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Go on as the container writes.
    pub follow: bool,
    /// Only this many lines from the end.
    pub tail: Option<u64>,
    /// Only what is younger; rounded up to whole seconds.
    pub since: Option<Duration>,
    /// A time before every line.
    pub timestamps: bool,
    /// Of the container's previous run.
    pub previous: bool,
}

/// Opens the log. Not reading the stream is backpressure.
pub(super) async fn open(
    caller: &Caller,
    place: &Admitted,
    options: &LogOptions,
) -> Result<impl Stream<Item = Result<Bytes, BridgeError>> + Send + Unpin + use<>, BridgeError> {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/log?{}",
        place.namespace(),
        place.pod(),
        query(place, options)
    );
    let response =
        caller.send(DOING, Method::GET, &path, &HeaderMap::new()).await.map_err(|error| place.name(error))?;
    let stream = response.into_body().into_data_stream();
    Ok(stream.map(|piece| piece.map_err(|source| BridgeError::Lost { doing: DOING, source: source.into() })))
}

fn query(place: &Admitted, options: &LogOptions) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("container", place.container().as_str());
    for (name, on) in
        [("follow", options.follow), ("timestamps", options.timestamps), ("previous", options.previous)]
    {
        if on {
            query.append_pair(name, "true");
        }
    }
    if let Some(lines) = options.tail {
        query.append_pair("tailLines", &lines.to_string());
    }
    if let Some(since) = options.since {
        let seconds = since.as_secs() + u64::from(since.subsec_nanos() > 0);
        query.append_pair("sinceSeconds", &seconds.max(1).to_string());
    }
    query.finish()
}
