//! `pods/log`: `PodLogOptions` read from the query, the log as a streaming body.

use axum::body::Body;
use axum::response::Response;
use http::{StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::params::Params;
use crate::cluster::kubelet::{ContainerError, Kubelet, LogOptions, LogReader};
use crate::cluster::status::Status;
use crate::cluster::store::object;
use crate::cluster::time;

/// Answers the request.
pub(super) async fn serve(params: &Params, pod: &Value, kubelet: &Kubelet) -> Result<Response, Status> {
    let container = super::container(pod, params)?;
    let options = options(params, object::name(pod), time::now())?;
    let found = kubelet.pod(object::namespace(pod), object::name(pod), object::uid(pod));
    let waiting = || ContainerError::Waiting {
        container: container.clone(),
        pod: object::name(pod).to_owned(),
        reason: "ContainerCreating".into(),
    };
    let log = found.ok_or_else(waiting).and_then(|found| found.log(&container, options.previous));
    let log = log.map_err(|error| Status::bad_request(error.to_string()))?;
    let reader = LogReader::open(log, options).await;
    let reader = reader.map_err(|error| Status::internal(format!("cannot read the log: {error}")))?;
    let body = futures::stream::unfold(reader, |mut reader| async move {
        let piece = reader.next().await.transpose()?;
        Some((piece, reader))
    });
    let response = Response::builder().status(StatusCode::OK).header(header::CONTENT_TYPE, "text/plain");
    Ok(response.body(Body::from_stream(body)).unwrap_or_default())
}

fn options(params: &Params, pod: &str, now: Timestamp) -> Result<LogOptions, Status> {
    let invalid = |field: &str, value: &str, why: &str| {
        let message = format!("PodLogOptions \"{pod}\" is invalid: {field}: Invalid value: {value}: {why}");
        Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    };
    let number = |field: &str, least: u64| -> Result<Option<u64>, Status> {
        let Some(value) = params.one(field).filter(|value| !value.is_empty()) else { return Ok(None) };
        let parsed: i64 = value
            .parse()
            .map_err(|_| Status::bad_request(format!("`{field}` must be a number, not `{value}`")))?;
        let parsed = u64::try_from(parsed).ok().filter(|parsed| *parsed >= least);
        let why = format!("must be greater than or equal to {least}");
        parsed.map(Some).ok_or_else(|| invalid(field, value, &why))
    };
    let seconds = number("sinceSeconds", 1)?;
    let since = match (params.one("sinceTime").filter(|value| !value.is_empty()), seconds) {
        (Some(value), Some(_)) => {
            let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            return Err(invalid("sinceTime", value, why));
        }
        (Some(value), None) => {
            let parsed = value.parse().map_err(|_| {
                Status::bad_request(format!("`sinceTime` must be an RFC 3339 moment, not `{value}`"))
            })?;
            Some(parsed)
        }
        (None, Some(seconds)) => {
            let ago = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            Some(now.checked_sub(ago).unwrap_or(Timestamp::MIN))
        }
        (None, None) => None,
    };
    Ok(LogOptions {
        follow: params.is("follow"),
        tail: number("tailLines", 0)?,
        since,
        timestamps: params.is("timestamps"),
        previous: params.is("previous"),
        limit_bytes: number("limitBytes", 1)?,
        only: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<LogOptions, String> {
        options(&Params::of(query), "p", "2026-01-01T01:00:00Z".parse().unwrap())
            .map_err(|status| status.message().to_owned())
    }

    #[test]
    fn the_query_of_kubectl_is_understood() {
        let hour_ago = "2026-01-01T00:00:00Z".parse().unwrap();
        let expected =
            LogOptions { follow: true, tail: Some(0), since: Some(hour_ago), ..LogOptions::default() };
        assert_eq!(read("follow=true&tailLines=0&sinceSeconds=3600&previous=false"), Ok(expected.clone()));
        assert_eq!(read("follow=1&tailLines=0&sinceTime=2026-01-01T00%3A00%3A00Z"), Ok(expected));
        assert_eq!(read(""), Ok(LogOptions::default()));
    }

    #[test]
    fn numbers_out_of_range_are_refused_and_named() {
        for query in [
            "tailLines=-1",
            "sinceSeconds=0",
            "limitBytes=0",
            "sinceTime=2026-01-01T00:00:00Z&sinceSeconds=1",
        ] {
            assert!(read(query).unwrap_err().contains("Invalid value"), "{query}");
        }
        assert!(read("tailLines=ten").unwrap_err().contains("`ten`"));
        assert!(read("sinceSeconds=9223372036854775807").is_ok());
    }
}
