//! What a command line came to: parsed, bounded, names checked.

use std::time::Duration;

use sallyport_policy::Workload;
use sallyport_policy::names::{ContainerName, Namespace, PodName, PolicyName, RequestName};

use super::start::Start;
use super::target::TargetArg;
use super::verb::Verb;
use crate::access::LockSubject;
use crate::crd::ReviewVerdict;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// No words at all: the page with everything that concerns the person.
    Lobby,
    /// `help [TOPIC]`, `COMMAND --help`.
    Help(Topic),
    /// `whoami`
    WhoAmI(Output),
    /// `login`: the one command for those who have a key and no certificate.
    Login,
    /// `break-glass`
    BreakGlass,
    /// `policies`
    Policies(Output),
    /// `rules [POLICY]`
    Rules(Rules),
    /// `request POLICY …`
    Request(Request),
    /// `requests`
    Requests(Output),
    /// `approve REQUEST`
    Approve(Verdict),
    /// `deny REQUEST`
    Deny(Verdict),
    /// `grants`
    Grants(Output),
    /// `revoke GRANT`
    Revoke(Verdict),
    /// `extend GRANT`
    Extend(Extend),
    /// `withdraw REQUEST`
    Withdraw(Verdict),
    /// `why …`
    Why(Why),
    /// `reviews`
    Reviews(Output),
    /// `review REQUEST`
    Review(Review),
    /// `lock`
    Lock(Lock),
    /// `unlock LOCK`
    Unlock(Unlock),
    /// `locks`
    Locks(Output),
    /// `pods`
    Pods(Pods),
    /// `shell TARGET`, or nothing with a target in the user name.
    Shell(Shell),
    /// `exec TARGET -- ARGV`, or words with a target in the user name.
    Exec(Exec),
    /// `logs TARGET`
    Logs(Logs),
}

impl Command {
    /// Whether it only answers ([`super::run`] does it all), or streams and is done by the SSH side.
    #[must_use]
    pub fn answers(&self) -> bool {
        match self {
            Self::Login | Self::BreakGlass | Self::Shell(_) | Self::Exec(_) | Self::Logs(_) => false,
            Self::Request(request) => request.wait.is_none(),
            _ => true,
        }
    }

    /// Whether a person may run it whose key is all that is known of them.
    #[must_use]
    pub fn before_sign_in(&self) -> bool {
        matches!(self, Self::Lobby | Self::Help(_) | Self::WhoAmI(_) | Self::Login | Self::BreakGlass)
    }

    /// As audit events and messages name it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lobby => "lobby",
            Self::Help(_) => Verb::Help.name(),
            Self::WhoAmI(_) => Verb::WhoAmI.name(),
            Self::Login => Verb::Login.name(),
            Self::BreakGlass => Verb::BreakGlass.name(),
            Self::Policies(_) => Verb::Policies.name(),
            Self::Rules(_) => Verb::Rules.name(),
            Self::Request(_) => Verb::Request.name(),
            Self::Requests(_) => Verb::Requests.name(),
            Self::Approve(_) => Verb::Approve.name(),
            Self::Deny(_) => Verb::Deny.name(),
            Self::Grants(_) => Verb::Grants.name(),
            Self::Revoke(_) => Verb::Revoke.name(),
            Self::Extend(_) => Verb::Extend.name(),
            Self::Withdraw(_) => Verb::Withdraw.name(),
            Self::Why(_) => Verb::Why.name(),
            Self::Reviews(_) => Verb::Reviews.name(),
            Self::Review(_) => Verb::Review.name(),
            Self::Lock(_) => Verb::Lock.name(),
            Self::Unlock(_) => Verb::Unlock.name(),
            Self::Locks(_) => Verb::Locks.name(),
            Self::Pods(_) => Verb::Pods.name(),
            Self::Shell(_) => Verb::Shell.name(),
            Self::Exec(_) => Verb::Exec.name(),
            Self::Logs(_) => Verb::Logs.name(),
        }
    }
}

/// What there is help about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// All commands.
    Overview,
    /// One command.
    Verb(Verb),
    /// How a pod is named.
    Targets,
    /// `ssh -L` and `ssh -W`.
    Tunnels,
    /// Exit statuses.
    Status,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs: the shapes that `docs/use.md` lists.
    Json,
}

/// `request POLICY -n NS --for 1h --reason … [--wait [-- COMMAND]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The policy that is asked for.
    pub policy: PolicyName,
    /// Where; empty for the policy's only namespace.
    pub namespaces: Vec<Namespace>,
    /// Only pods of these; with `pods`, these and those.
    pub workloads: Vec<Workload>,
    /// Only these pods.
    pub pods: Vec<PodName>,
    /// Only these containers.
    pub containers: Vec<ContainerName>,
    /// Tunnels only to these ports.
    pub ports: Vec<u16>,
    /// How long; an hour where nothing is said, or the policy's longest time if that is shorter.
    pub duration: Option<Duration>,
    /// When it begins.
    pub start: Option<Start>,
    /// The ticket that it is for.
    pub ticket: Option<String>,
    /// Why, as typed.
    pub reason: Option<String>,
    /// Whether to wait until it is open or over.
    pub wait: Option<Wait>,
    /// How to answer.
    pub output: Output,
}

/// `--wait`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wait {
    /// What to go on with once it is open: `shell`, `exec` or `logs`.
    pub then: Option<Box<Command>>,
}

/// `extend GRANT --for 30m`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extend {
    /// Which.
    pub name: RequestName,
    /// How much longer.
    pub by: Duration,
    /// Why, as typed.
    pub reason: Option<String>,
    /// How to answer.
    pub output: Output,
}

/// `why …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// `why POLICY …`: what would become of this request.
    Asking(Box<Request>),
    /// `why exec -n NS TARGET`: whether I may do that now.
    Doing {
        /// What.
        action: Doing,
        /// Where.
        target: TargetArg,
        /// How to answer.
        output: Output,
    },
}

/// What a grant can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// `shell`
    Shell,
    /// `exec`
    Exec,
    /// `logs`
    Logs,
    /// `forward`, to this port.
    Forward(u16),
}

/// `review REQUEST --verdict justified --reason …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Which.
    pub name: RequestName,
    /// What was found.
    pub verdict: ReviewVerdict,
    /// In words.
    pub reason: String,
    /// How to answer.
    pub output: Output,
}

/// `lock (--person U | -n NS [POD] | --everything)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Whom or what.
    pub subject: LockSubject,
    /// For how long; else until somebody unlocks.
    pub duration: Option<Duration>,
    /// Why, as typed.
    pub reason: String,
    /// How to answer.
    pub output: Output,
}

/// `unlock LOCK`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlock {
    /// Which; Kubernetes object names have the form of pods' names.
    pub name: PodName,
    /// How to answer.
    pub output: Output,
}

/// What somebody says about a request or a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which.
    pub name: RequestName,
    /// Why, as typed.
    pub reason: Option<String>,
    /// How to answer.
    pub output: Output,
}

/// `pods -n NS`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pods {
    /// Where; left out when the grants cover one namespace.
    pub namespace: Option<Namespace>,
    /// How to answer.
    pub output: Output,
}

/// `shell TARGET`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// Where.
    pub target: TargetArg,
}

/// `exec TARGET -- ARGV`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// Where.
    pub target: TargetArg,
    /// What, at least one word; no shell in between.
    pub argv: Vec<String>,
    /// Whether `-t` was typed, which only `ssh -t` can give.
    pub tty: bool,
}

/// `logs TARGET`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// Where.
    pub target: TargetArg,
    /// Go on as the log grows.
    pub follow: bool,
    /// Only so many last lines.
    pub tail: Option<u64>,
    /// Only what is younger.
    pub since: Option<Duration>,
    /// Each line with its time.
    pub timestamps: bool,
    /// Of the container before its last restart.
    pub previous: bool,
}

/// `rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Of this policy only.
    pub policy: Option<PolicyName>,
    /// How.
    pub output: Output,
}
