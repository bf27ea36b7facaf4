//! The sections about policies, requests and what they are told to: where policies come from, how long history is
//! kept, external checks, notifications and locks.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{ConfigError, Span};

/// So many webhooks, so that what was delivered to them fits in a request's status (`notified`).
const MOST_NOTIFICATIONS: usize = 16;

/// Where policies come from beside the cluster's AccessPolicies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policies {
    /// A directory of YAML and JSON files with AccessPolicies, read again when they change. Of a name that is in the
    /// cluster too, the last good version stays in force until it is in one place only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
}

/// Requests and their history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Requests {
    /// How long ended requests stay in the cluster. One whose review is open stays.
    pub keep: Span,
    /// How many ended requests stay at most; the oldest go first.
    pub most: u32,
    /// Whether requests that people make with `kubectl create` count. Only where admission holds them to their own
    /// name (deploy/admission); else anybody who may create them could ask in another's name.
    pub by_kubectl: bool,
}

impl Default for Requests {
    fn default() -> Self {
        Self { keep: Span(Duration::from_secs(90 * 24 * 3600)), most: 10_000, by_kubectl: false }
    }
}

/// An external check that policies may name in `approval.hooks`: asked as OPA's data API is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    /// What policies call it.
    pub name: String,
    /// Where it is asked: `POST {"input": …}`, answered with `{"result": {"allow": …, "reasons": […]}}`.
    pub url: Url,
    /// How long one attempt may take; there are three.
    #[serde(default = "hook_timeout")]
    pub timeout: Span,
    /// A file with a token to send as `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Certificates to trust for it (PEM), instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

const fn hook_timeout() -> Span {
    Span(Duration::from_secs(5))
}

/// Somebody who is told what happens: a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notification {
    /// Its name, in logs and in what a request's status says was delivered.
    pub name: String,
    /// Where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// A file that holds the address, where the address itself is a secret as Slack's is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// What the body looks like.
    #[serde(default)]
    pub format: NotificationFormat,
    /// A file with the secret that bodies are signed with (HMAC-SHA256, as the Standard Webhooks have it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Of what it is told; empty: of everything. Break-glass is always told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<NotificationEvent>,
    /// Only of these policies; empty: of all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub policies: BTreeSet<String>,
    /// How long one attempt may take.
    #[serde(default = "notification_timeout")]
    pub timeout: Span,
    /// Certificates to trust for it (PEM), instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

const fn notification_timeout() -> Span {
    Span(Duration::from_secs(10))
}

/// What a notification's body looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotificationFormat {
    /// Fields for programs; docs/notifications.md has them.
    #[default]
    Json,
    /// A message for a Slack incoming webhook.
    Slack,
}

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NotificationEvent {
    /// Somebody asks and others have to approve.
    Requested,
    /// It is approved.
    Approved,
    /// It is denied, or nobody answered.
    Denied,
    /// A grant is used for the first time.
    FirstUsed,
    /// A grant is about to end.
    Ending,
    /// A grant has ended.
    Ended,
    /// Somebody broke the glass.
    BreakGlass,
    /// A rule denied a command, and the policy wants that told (`commands.onDenied: Alert`).
    CommandDenied,
}

/// Who may shut people, places or everything out over SSH.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Locks {
    /// Groups whose members may `lock` and `unlock`. Whoever may write AccessLocks in the cluster can too.
    pub groups: BTreeSet<String>,
}

/// Break-glass without the OIDC provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BreakGlass {
    /// The `codes.yaml` that `sallyport codes make` wrote: whom sealed one-time codes let in. It holds no code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codes_file: Option<PathBuf>,
}

/// The object in the cluster that notes which codes of a file are used.
#[must_use]
pub(crate) fn codes_object(id: &str) -> String {
    format!("sallyport-codes-{id}")
}

/// Checks what the shape cannot say.
pub(super) fn check(
    hooks: &[Hook],
    notifications: &[Notification],
    requests: &Requests,
) -> Result<(), ConfigError> {
    let value = |field, what| Err(ConfigError::Value { field, what });
    let label = |name: &str| sallyport_policy::Namespace::parse(name).is_ok();
    let mut names = BTreeSet::new();
    for hook in hooks {
        if !label(&hook.name) || !names.insert(&hook.name) {
            return value("hooks.name", "must be a name of lower-case letters, digits and `-`, each once");
        }
        if !is_safe(&hook.url) {
            return value("hooks.url", "must be an https address (http is for loopback only)");
        }
    }
    if notifications.len() > MOST_NOTIFICATIONS {
        return value("notifications", "must be 16 at most: a request's status notes what was delivered");
    }
    let mut names = BTreeSet::new();
    for one in notifications {
        if !label(&one.name) || !names.insert(&one.name) {
            return value(
                "notifications.name",
                "must be a name of lower-case letters, digits and `-`, each once",
            );
        }
        if one.url.is_some() == one.url_file.is_some() {
            return value("notifications.url", "must be there, or `urlFile`, and not both");
        }
        if one.url.as_ref().is_some_and(|url| !is_safe(url)) {
            return value("notifications.url", "must be an https address (http is for loopback only)");
        }
    }
    if requests.keep.0 < Duration::from_secs(3600) {
        return value("requests.keep", "must be at least 1h");
    }
    Ok(())
}

/// Whether what is sent there can be read by nobody on the way.
pub(crate) fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}
