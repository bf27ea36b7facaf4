//! Removing requests that ended long ago, oldest first. What they were is in the audit events.
//!
//! Never: what is not over, what still has something open in the cluster, what waits for a review, and what ended a
//! moment ago, of which somebody may still have to be told.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};

use super::act::Hands;
use super::api::{ActError, call};
use crate::audit::{Event, Kind, Outcome};
use crate::config::Requests;
use crate::crd::{AccessRequest, causes};

/// So many go at once.
const BATCH: usize = 100;
/// So many calls are made at a time: history is in no hurry, and others use the server too.
const AT_ONCE: usize = 4;
/// What ended this recently stays, however many there are.
const GRACE: Duration = Duration::from_secs(60);

/// Which requests are to go now, oldest end first; at most [`BATCH`].
pub(super) fn due<'a>(
    requests: &'a [Arc<AccessRequest>],
    settings: &Requests,
    now: Timestamp,
) -> Vec<&'a Arc<AccessRequest>> {
    let mut over: Vec<(Timestamp, &Arc<AccessRequest>)> =
        requests.iter().filter_map(|request| Some((ended(request)?, request))).collect();
    let too_old = now.checked_sub(settings.keep.0).unwrap_or(Timestamp::MIN);
    let too_young = now.checked_sub(GRACE).unwrap_or(Timestamp::MIN);
    let most = usize::try_from(settings.most).unwrap_or(usize::MAX);
    let too_many = over.len().saturating_sub(most);
    if too_many == 0 && over.iter().all(|(ended, _)| *ended >= too_old) {
        return Vec::new();
    }
    over.sort_unstable_by(|(a, one), (b, other)| (a, &one.metadata.name).cmp(&(b, &other.metadata.name)));
    let goes = |(index, (ended, request)): (usize, (Timestamp, &'a Arc<AccessRequest>))| {
        let old = ended < too_old || (index < too_many && ended < too_young);
        (old && may_go(request)).then_some(request)
    };
    over.into_iter().enumerate().filter_map(goes).take(BATCH).collect()
}

/// When it ended, if it is over.
fn ended(request: &AccessRequest) -> Option<Timestamp> {
    let status = request.status.as_ref().filter(|status| status.phase.is_final())?;
    status.ended_at.or_else(|| request.creation_timestamp().map(|time| time.0))
}

fn may_go(request: &AccessRequest) -> bool {
    let status = request.status.as_ref();
    request.metadata.deletion_timestamp.is_none()
        && status.is_some_and(|status| {
            let reviewed = status.review.as_ref().is_none_or(|review| review.verdict.is_some());
            status.opened.is_empty() && reviewed
        })
}

/// Removes what is due; says whether there may be more.
pub(super) async fn prune(hands: &Hands, requests: &[Arc<AccessRequest>], settings: &Requests) -> bool {
    let due: Vec<_> = due(requests, settings, hands.clock.now()).into_iter().cloned().collect();
    if due.is_empty() {
        return false;
    }
    let full = due.len() == BATCH;
    let results: Vec<_> = futures::stream::iter(due.clone())
        .map(|request| async move { one(hands, &request).await })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let failed = results.iter().find_map(|result| result.as_ref().err());
    let gone = results.iter().filter(|result| result.is_ok()).count();
    if gone > 0 {
        let first = due.first().map(|request| request.name_any()).unwrap_or_default();
        let last = due.iter().rev().find_map(|request| ended(request)).unwrap_or_default();
        let why = format!("{gone} requests that ended until {last}, `{first}` and later");
        let event = Event::new(hands.clock.now(), Kind::RequestsPruned, Outcome::Ok);
        hands.audit.record(Event { why: Some(why), ..event });
    }
    if let Some(error) = failed {
        tracing::warn!(error = %causes(error), gone, "cannot remove old requests; trying again later");
    }
    full && failed.is_none()
}

/// Removes this version of this request and no other: what somebody writes meanwhile keeps it.
async fn one(hands: &Hands, request: &AccessRequest) -> Result<(), ActError> {
    let params = DeleteParams::default()
        .preconditions(Preconditions { uid: request.uid(), resource_version: request.resource_version() });
    match call("remove an old request", hands.api().delete(&request.name_any(), &params)).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
        Err(error) => Err(error),
    }
}
