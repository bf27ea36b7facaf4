//! What an event says.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::Requester;

/// What happened. The text form is stable; new kinds may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// The gateway answers.
    #[serde(rename = "gateway.started")]
    GatewayStarted,
    /// The gateway was asked to stop and has.
    #[serde(rename = "gateway.stopped")]
    GatewayStopped,
    /// A person proved who they are to the OIDC provider.
    #[serde(rename = "signin.succeeded")]
    SigninSucceeded,
    /// A sign-in ended without an identity: refused, expired, or a token that does not verify.
    #[serde(rename = "signin.refused")]
    SigninRefused,
    /// A certificate was signed.
    #[serde(rename = "certificate.issued")]
    CertificateIssued,
    /// A certificate or key was presented and not accepted.
    #[serde(rename = "certificate.refused")]
    CertificateRefused,
    /// An SSH connection was let in.
    #[serde(rename = "connection.opened")]
    ConnectionOpened,
    /// An SSH connection was turned away before sign-in (limits, time-out, protocol error).
    #[serde(rename = "connection.refused")]
    ConnectionRefused,
    /// An SSH connection ended.
    #[serde(rename = "connection.closed")]
    ConnectionClosed,
    /// Somebody asked for access.
    #[serde(rename = "request.created")]
    RequestCreated,
    /// One approval was given; the grant may need more.
    #[serde(rename = "request.approved")]
    RequestApproved,
    /// A request was denied by a person.
    #[serde(rename = "request.denied")]
    RequestDenied,
    /// The window is open and what it needs in the cluster exists.
    #[serde(rename = "grant.started")]
    GrantStarted,
    /// The window is over: its end, a revocation, or a policy that went away (`why` tells).
    #[serde(rename = "grant.ended")]
    GrantEnded,
    /// What a grant had opened is gone from the cluster.
    #[serde(rename = "grant.cleaned")]
    GrantCleaned,
    /// Something was asked for and not allowed.
    #[serde(rename = "access.refused")]
    AccessRefused,
    /// A session began.
    #[serde(rename = "session.started")]
    SessionStarted,
    /// A session ended, by itself or cut.
    #[serde(rename = "session.ended")]
    SessionEnded,
    /// A policy was read and is in force.
    #[serde(rename = "policy.loaded")]
    PolicyLoaded,
    /// A policy could not be read; the last good one stays in force.
    #[serde(rename = "policy.rejected")]
    PolicyRejected,
    /// A CommandSet was read and is what policies that name it have.
    #[serde(rename = "set.loaded")]
    SetLoaded,
    /// A CommandSet could not be read; the last good one stays in force.
    #[serde(rename = "set.rejected")]
    SetRejected,
    /// A window was made longer, or a grant that goes on from another took over.
    #[serde(rename = "grant.extended")]
    GrantExtended,
    /// Something that a grant had opened was changed or removed by somebody, or was left behind, and was put right.
    #[serde(rename = "grant.repaired")]
    GrantRepaired,
    /// An external check was asked (`why` has its reasons).
    #[serde(rename = "check.answered")]
    CheckAnswered,
    /// Somebody, some place or everything was shut out.
    #[serde(rename = "lock.set")]
    LockSet,
    /// A lock was lifted, or its time was over.
    #[serde(rename = "lock.lifted")]
    LockLifted,
    /// Somebody used break-glass.
    #[serde(rename = "breakglass.used")]
    BreakGlassUsed,
    /// A sealed one-time code was tried.
    #[serde(rename = "breakglass.code")]
    BreakGlassCode,
    /// The review of a break-glass got its verdict.
    #[serde(rename = "review.closed")]
    ReviewClosed,
    /// A notification could not be delivered and is tried again, or was given up.
    #[serde(rename = "notification.failed")]
    NotificationFailed,
    /// Ended requests were removed from the cluster; their history is here.
    #[serde(rename = "requests.pruned")]
    RequestsPruned,
    /// The OIDC provider can no longer be asked about somebody with open requests or grants, until they sign in again.
    #[serde(rename = "person.unchecked")]
    PersonUnchecked,
    /// A command was typed in a session, and decided about or, without rules, observed.
    #[serde(rename = "session.command")]
    SessionCommand,
    /// Something about a session's commands that is none itself: the typed line could not be read any more, an alert.
    #[serde(rename = "session.remark")]
    SessionRemark,
    /// This gateway began or ceased to be the one that reconciles.
    #[serde(rename = "gateway.leads")]
    GatewayLeads,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Ok,
    /// A rule said no.
    Refused,
    /// It was allowed and did not work.
    Failed,
}

/// Who: as the OIDC provider and the certificate say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The username that the cluster sees in `Impersonate-User`.
    pub username: String,
    /// The OIDC issuer that vouched for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The issuer's own stable name for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

impl From<&Requester> for Person {
    fn from(who: &Requester) -> Self {
        Self {
            username: who.username.clone(),
            issuer: Some(who.issuer.clone()),
            subject: Some(who.subject.clone()),
        }
    }
}

/// Where in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What the person named: `POD`, `deploy/NAME`, `svc/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The pod that it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The container in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The TCP port of a tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// One audit fact. Absent fields do not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Sallyport audit event")]
pub struct Event {
    /// When, RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// What.
    pub event: Kind,
    /// How it went.
    pub outcome: Outcome,
    /// By whom. Absent where nobody is known yet, or where the gateway acted by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// The other end of the SSH connection, `address:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The SSH connection's id, the same in all its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The `AccessRequest`, and so the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The `AccessPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The `CommandSet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// The session's id, the same as in the recording's name and the API server's audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What was done or asked: `shell`, `exec`, `logs`, `forward`, `request`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The remote command, word by word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The line as it was typed, as far as it is known; secrets are blotted out where they can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The rule that decided about a command; `no rules` where the policy has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What that decision is worth: `boundary` or `guardrail`; `none` where the policy has no rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<String>,
    /// Who let a command pass once although a rule said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// The reason the person gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it went as it did, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The exit status the person's `ssh` got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u32>,
    /// Bytes from the person to the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_in: Option<u64>,
    /// Bytes from the target to the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// A certificate's serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// A key's SHA-256 fingerprint, as `ssh-keygen -l` shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// When what was given ends: a certificate, a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub until: Option<Timestamp>,
}

impl Event {
    /// A bare fact; fill in what applies with struct update or the setters' absence: the fields are public.
    #[must_use]
    pub const fn new(time: Timestamp, event: Kind, outcome: Outcome) -> Self {
        Self {
            time,
            event,
            outcome,
            person: None,
            peer: None,
            connection: None,
            request: None,
            policy: None,
            set: None,
            session: None,
            action: None,
            place: None,
            command: None,
            line: None,
            rule: None,
            assurance: None,
            approved_by: None,
            reason: None,
            why: None,
            exit: None,
            bytes_in: None,
            bytes_out: None,
            serial: None,
            fingerprint: None,
            until: None,
        }
    }
}
