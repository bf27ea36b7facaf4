//! What a webhook is told: `docs/schemas/notification.schema.json` is generated from these types and held equal by a
//! test. People's words are made harmless (control characters become `�`) and are as short as a request's are.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::due::{Notice, is_break_glass};
use crate::config::NotificationEvent;
use crate::crd::{AccessRequest, AccessRequestStatus, Phase};
use crate::terminal::clean;

/// The longest text in a body, in characters.
const MAX_CHARS: usize = 1024;

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Sallyport notification")]
pub struct Body {
    /// What happened.
    #[serde(rename = "type")]
    pub event: NotificationEvent,
    /// When it was so. Where the receiver was out of reach, that may be long before the delivery.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
    /// About which request.
    pub data: Data,
}

/// The request as it is at the time of delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// The AccessRequest's name.
    pub request: String,
    /// Its uid: no two requests ever share one.
    pub uid: String,
    /// The AccessPolicy.
    pub policy: String,
    /// Who asks.
    pub requester: String,
    /// Where.
    pub namespaces: Vec<String>,
    /// What it is narrowed to: workloads (`deployment/api`), pods, containers, ports. Empty: all that the policy covers.
    pub narrowed: Vec<String>,
    /// For how long.
    pub duration: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Pending, Approved, Active, Denied, Expired, Revoked or Failed.
    pub phase: String,
    /// Whether the glass is broken.
    pub break_glass: bool,
    /// The usernames of those who approved.
    pub approvers: Vec<String>,
    /// The policy's field that approved it without a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by_rule: Option<String>,
    /// When the window begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub start: Option<Timestamp>,
    /// When the window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub end: Option<Timestamp>,
    /// Who denied, withdrew or ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Why it is as it is: what the person said who denied or ended it, or what ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Where to decide it, in a browser. Whoever opens it has to sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Url>,
}

impl Body {
    /// The body for a notice.
    pub(super) fn of(request: &AccessRequest, notice: &Notice, link: Option<Url>) -> Self {
        let empty = AccessRequestStatus::default();
        let status = request.status.as_ref().unwrap_or(&empty);
        let spec = &request.spec;
        let verdict = status.denial.as_ref().or(status.revocation.as_ref());
        let said = verdict.and_then(|verdict| verdict.reason.clone()).or_else(|| status.message.clone());
        // By its place and not by its time: two can be denied at one moment.
        let place = notice.times.checked_sub(1).filter(|_| notice.event == NotificationEvent::CommandDenied);
        let alert = place.and_then(|place| status.alerts.get(place));
        let said = alert.map(|alert| format!("{}: {}", alert.line, alert.why)).or(said);
        let unanswered = status.phase == Phase::Expired && status.window.is_none();
        let named = spec.workloads.iter().cloned();
        let pods = spec.pods.iter().map(|pod| format!("pod/{pod}"));
        let containers = spec.containers.iter().map(|name| format!("container/{name}"));
        let ports = spec.ports.iter().map(|port| format!("port/{port}"));
        let data = Data {
            request: request.metadata.name.clone().unwrap_or_default(),
            uid: request.metadata.uid.clone().unwrap_or_default(),
            policy: bounded(&spec.policy),
            requester: bounded(&spec.requester.username),
            namespaces: spec.namespaces.iter().map(|name| bounded(name)).collect(),
            narrowed: named.chain(pods).chain(containers).chain(ports).map(|one| bounded(&one)).collect(),
            duration: bounded(&spec.duration),
            reason: spec.reason.as_deref().map(bounded),
            ticket: spec.ticket.as_deref().map(bounded),
            phase: status.phase.to_string(),
            break_glass: is_break_glass(status),
            approvers: status.approvals.iter().map(|one| bounded(&one.by)).collect(),
            approved_by_rule: status.approved_by_rule.clone(),
            start: status.window.map(|window| window.start).or(spec.start_at),
            end: status.window.map(|window| window.end),
            ended_by: verdict.map(|verdict| bounded(&verdict.by)),
            why: said.as_deref().map(bounded).or(unanswered.then(|| "nobody answered in time".to_owned())),
            link,
        };
        Self { event: notice.event, timestamp: notice.at, data }
    }
}

fn bounded(text: &str) -> String {
    clean(&text.chars().take(MAX_CHARS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_published_schema_is_what_is_sent() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/notification.schema.json");
        crate::config::published(&path, &schemars::schema_for!(Body).to_value());
    }

    #[test]
    fn hostile_words_are_harmless_and_short() {
        let text = bounded(&("\u{1b}]0;x\u{7}\n".to_owned() + &"y".repeat(1_000_000)));
        assert!(text.starts_with("�]0;x� y"));
        assert_eq!(text.chars().count(), MAX_CHARS);
    }
}
