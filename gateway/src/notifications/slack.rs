//! The message for a Slack incoming webhook. Everything that people wrote is escaped as Slack asks (`&`, `<`, `>`), so
//! that no reason can mention a channel, link to somewhere or pose as another field; Slack is told not to look for
//! names and links by itself (`verbatim`, `parse`, `link_names`).

use serde_json::{Value, json};

use super::body::Body;
use crate::config::NotificationEvent;

/// Slack's limit for one field is 2,000 characters; escaping makes up to five of one.
const MAX_FIELD: usize = 380;

/// The body for Slack.
pub(super) fn message(body: &Body) -> Value {
    let data = &body.data;
    let who = escaped(&data.requester);
    let policy = escaped(&data.policy);
    let headline = match body.event {
        NotificationEvent::Requested => format!("{who} asks for {policy}"),
        NotificationEvent::Approved => format!("{policy} is approved for {who}"),
        NotificationEvent::Denied => format!("{policy} is not granted to {who}"),
        NotificationEvent::FirstUsed => format!("{who} uses {policy}"),
        NotificationEvent::Ending => format!("{policy} is about to end for {who}"),
        NotificationEvent::Ended => format!("{policy} has ended for {who}"),
        NotificationEvent::CommandDenied => format!(":warning: {who} was denied a command under {policy}"),
        NotificationEvent::BreakGlass => format!(":rotating_light: {who} broke the glass: {policy}"),
    };
    let field = |name: &str, text: &str| json!({"type": "mrkdwn", "verbatim": true, "text": format!("*{name}*\n{}", escaped(text))});
    let mut fields = vec![field("Where", &data.namespaces.join(", ")), field("How long", &data.duration)];
    let narrowed = Some(data.narrowed.join(", ")).filter(|text| !text.is_empty());
    let approvers = Some(data.approvers.join(", ")).filter(|text| !text.is_empty());
    let end = data.end.map(|end| end.to_string());
    for (name, text) in [
        ("Only", &narrowed),
        ("Reason", &data.reason),
        ("Ticket", &data.ticket),
        ("Approved by", &approvers),
        ("Until", &end),
        ("By", &data.ended_by),
        ("Why", &data.why),
    ] {
        fields.extend(text.as_deref().map(|text| field(name, text)));
    }
    let mut blocks = vec![
        json!({"type": "section", "text": {"type": "mrkdwn", "verbatim": true, "text": format!("*{headline}*")}}),
        json!({"type": "section", "fields": fields}),
    ];
    if let Some(link) = &data.link {
        let act = if body.event == NotificationEvent::Requested { "Decide" } else { "Review" };
        blocks.push(json!({"type": "actions", "elements": [{"type": "button", "url": link,
            "text": {"type": "plain_text", "text": act, "emoji": false}}]}));
    }
    let name = escaped(&data.request);
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "verbatim": true,
        "text": format!("request {name} · {}", body.timestamp)}]}));
    json!({"text": headline, "blocks": blocks, "parse": "none", "link_names": false,
        "unfurl_links": false, "unfurl_media": false})
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(MAX_FIELD) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    if text.chars().nth(MAX_FIELD).is_some() {
        out.push('…');
    }
    out
}
