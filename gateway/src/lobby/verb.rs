//! The commands there are, each with its flags. One table serves the parser and the help, so they cannot differ.

use super::help;

/// A command's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `help`
    Help,
    /// `whoami`
    WhoAmI,
    /// `login`
    Login,
    /// `break-glass`
    BreakGlass,
    /// `policies`
    Policies,
    /// `rules`
    Rules,
    /// `request`
    Request,
    /// `requests`
    Requests,
    /// `approve`
    Approve,
    /// `deny`
    Deny,
    /// `grants`
    Grants,
    /// `extend`
    Extend,
    /// `withdraw`
    Withdraw,
    /// `revoke`
    Revoke,
    /// `why`
    Why,
    /// `reviews`
    Reviews,
    /// `review`
    Review,
    /// `lock`
    Lock,
    /// `unlock`
    Unlock,
    /// `locks`
    Locks,
    /// `pods`
    Pods,
    /// `shell`
    Shell,
    /// `exec`
    Exec,
    /// `logs`
    Logs,
}

/// What follows a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing: it is there or not.
    Nothing,
    /// One value, named so in help. Given once.
    Value(&'static str),
    /// One value, and the flag may be repeated.
    Values(&'static str),
    /// Every word up to the next flag.
    Words(&'static str),
}

/// A flag of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    pub(super) takes: Takes,
    pub(super) about: &'static str,
}

const fn flag(long: &'static str, short: Option<char>, takes: Takes, about: &'static str) -> Flag {
    Flag { long, short, takes, about }
}

use Takes::{Nothing, Value, Values, Words};

pub(super) const HELP: Flag = flag("help", Some('h'), Nothing, "show this help");
const OUTPUT: Flag =
    flag("output", Some('o'), Value("json|table"), "json for programs, table for people (default)");
const NAMESPACE: Flag = flag(
    "namespace",
    Some('n'),
    Value("NS"),
    "the namespace; may be left out when your grants cover only one",
);
const CONTAINER: Flag =
    flag("container", Some('c'), Value("NAME"), "the container; default: as kubectl chooses");
const TTY: Flag = flag("tty", Some('t'), Nothing, "accepted; the terminal comes from `ssh -t`");
const STDIN: Flag = flag("stdin", Some('i'), Nothing, "accepted; standard input is always there");

const NAMESPACES: Flag = flag(
    "namespace",
    Some('n'),
    Values("NS[,NS]"),
    "where; repeat it or use commas. Default: the policy's only one",
);
const FOR: Flag =
    flag("for", None, Value("DURATION"), "how long: 90s, 30m, 1h30m. Default: 1h, or what the policy has");
const REASON: Flag = flag("reason", None, Words("WORDS"), "why; every word up to the next flag");
const START: Flag =
    flag("start", None, Value("WHEN"), "when it begins: +30m, 14:00 (UTC), 14:00+02:00, 2026-11-21T14:00Z");
const TICKET: Flag = flag("ticket", None, Value("TICKET"), "the ticket that it is for");
const WORKLOADS: Flag =
    flag("workload", None, Values("KIND/NAME"), "only its pods, wherever they are scheduled; or an argument");
const PODS: Flag = flag("pod", None, Values("POD"), "only this pod; or an argument");
const CONTAINERS: Flag = flag("container", Some('c'), Values("NAME"), "only this container");
const PORTS: Flag = flag("port", None, Values("PORT[,PORT]"), "tunnels only to this port");

const REQUEST: &[Flag] = &[
    NAMESPACES,
    WORKLOADS,
    PODS,
    CONTAINERS,
    PORTS,
    FOR,
    START,
    TICKET,
    REASON,
    flag("wait", Some('w'), Nothing, "wait for the approval; with `-- COMMAND`, then go straight on"),
    OUTPUT,
    HELP,
];
const WHY: &[Flag] =
    &[NAMESPACES, WORKLOADS, PODS, CONTAINERS, PORTS, FOR, START, TICKET, REASON, OUTPUT, HELP];
const EXTEND: &[Flag] =
    &[flag("for", None, Value("DURATION"), "how much longer: 90s, 30m, 1h30m"), REASON, OUTPUT, HELP];
const REVIEW: &[Flag] = &[
    flag("verdict", None, Value("VERDICT"), "justified or unjustified"),
    flag("reason", None, Words("WORDS"), "what you found; every word up to the next flag"),
    OUTPUT,
    HELP,
];
const LOCK: &[Flag] = &[
    flag("person", None, Value("USERNAME"), "shut this person out"),
    flag("namespace", Some('n'), Value("NS"), "let nobody into this namespace; with POD, into that pod"),
    flag("everything", None, Nothing, "let nobody in anywhere"),
    flag("for", None, Value("DURATION"), "until when: 90s, 30m, 2h. Default: until `unlock`"),
    REASON,
    OUTPUT,
    HELP,
];
const LOGS: &[Flag] = &[
    NAMESPACE,
    CONTAINER,
    flag("follow", Some('f'), Nothing, "go on as the log grows"),
    flag("tail", None, Value("LINES"), "only the last lines"),
    flag("since", None, Value("DURATION"), "only what is younger: 90s, 30m, 1h30m"),
    flag("timestamps", None, Nothing, "each line with its time"),
    flag("previous", Some('p'), Nothing, "of the container before its last restart"),
    HELP,
];

impl Verb {
    /// All of them, in the order of a person's path.
    pub const ALL: [Self; 24] = [
        Self::Help,
        Self::WhoAmI,
        Self::Login,
        Self::Policies,
        Self::Rules,
        Self::Request,
        Self::Requests,
        Self::Approve,
        Self::Deny,
        Self::Withdraw,
        Self::Grants,
        Self::Extend,
        Self::Revoke,
        Self::Why,
        Self::Pods,
        Self::Shell,
        Self::Exec,
        Self::Logs,
        Self::Reviews,
        Self::Review,
        Self::Locks,
        Self::Lock,
        Self::Unlock,
        Self::BreakGlass,
    ];

    /// The command of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Self::name)
    }

    /// As it is typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Help => "help",
            Self::WhoAmI => "whoami",
            Self::Login => "login",
            Self::BreakGlass => "break-glass",
            Self::Policies => "policies",
            Self::Rules => "rules",
            Self::Request => "request",
            Self::Requests => "requests",
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Grants => "grants",
            Self::Extend => "extend",
            Self::Withdraw => "withdraw",
            Self::Revoke => "revoke",
            Self::Why => "why",
            Self::Reviews => "reviews",
            Self::Review => "review",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Locks => "locks",
            Self::Pods => "pods",
            Self::Shell => "shell",
            Self::Exec => "exec",
            Self::Logs => "logs",
        }
    }

    pub(super) const fn flags(self) -> &'static [Flag] {
        match self {
            Self::Help | Self::Login | Self::BreakGlass => &[HELP],
            Self::WhoAmI
            | Self::Policies
            | Self::Requests
            | Self::Approve
            | Self::Grants
            | Self::Reviews
            | Self::Locks
            | Self::Unlock
            | Self::Rules => &[OUTPUT, HELP],
            Self::Request => REQUEST,
            Self::Deny | Self::Revoke | Self::Withdraw => &[REASON, OUTPUT, HELP],
            Self::Extend => EXTEND,
            Self::Why => WHY,
            Self::Review => REVIEW,
            Self::Lock => LOCK,
            Self::Pods => &[NAMESPACE, OUTPUT, HELP],
            Self::Shell | Self::Exec => &[NAMESPACE, CONTAINER, TTY, STDIN, HELP],
            Self::Logs => LOGS,
        }
    }

    /// Whether free text may follow one of its flags.
    pub(super) fn takes_text(self) -> bool {
        self.flags().iter().any(|flag| matches!(flag.takes, Words(_)))
    }

    /// Its usage line.
    pub(super) const fn usage(self) -> &'static str {
        help::page(self).usage
    }
}
