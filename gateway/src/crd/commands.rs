//! `commands` of an `AccessPolicy`: which commands a grant may run, and by which shell.

use sallyport_policy::commands as rules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which commands a grant may run. Absent: any, in the container's own shell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commands {
    /// What `shell` opens. Guarded: the gateway's own shell, a boundary. Open: the container's shell; commands are read
    /// from the screen, which prevents mistakes and no more.
    #[serde(default)]
    pub shell: ShellKind,
    /// Named sets of rules: the built-in observe, debug, database-read, or CommandSets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 63)))]
    pub sets: Vec<String>,
    /// What may run. With neither `sets` nor `allow`, everything may that nothing denies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512))]
    pub allow: Vec<CommandRule>,
    /// What may not run; always wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512))]
    pub deny: Vec<CommandRule>,
    /// Paths that no command may name, instead of the default list (secrets, other processes' environments and files,
    /// password hashes, devices). `read:` or `write:` before a pattern confines it to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 512)))]
    pub protected_paths: Option<Vec<String>>,
    /// Variables that may be set for a command, `*` at the end for any ending, instead of the default list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), inner(length(min = 1, max = 128)))]
    pub environment: Option<Vec<String>>,
    /// Whether a command's output may go to another command. Defaults to true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipes: Option<bool>,
    /// Whether input and output may come from and go to files; the paths are checked. Defaults to true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirections: Option<bool>,
    /// What a denied command brings: Tell the person; Ask an approver to let it pass once, while the person waits;
    /// Alert the webhooks too; End the session.
    #[serde(default)]
    pub on_denied: OnDenied,
    /// What an open shell does when it can no longer tell what is typed: Tolerate, Flag it in an event, or End the session.
    #[serde(default)]
    pub on_lost_track: OnLostTrack,
}

/// What `shell` opens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ShellKind {
    /// The gateway's own.
    #[default]
    Guarded,
    /// The container's.
    Open,
}

/// What a denied command brings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDenied {
    /// The person is told.
    #[default]
    Tell,
    /// An approver may let it pass once, while the person waits at the prompt.
    Ask,
    /// The person is told, and so are the webhooks.
    Alert,
    /// The session ends.
    End,
}

/// What an open shell does when it can no longer tell what is typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnLostTrack {
    /// Goes on.
    Tolerate,
    /// Goes on, with an event.
    #[default]
    Flag,
    /// Ends the session.
    End,
}

/// A rule over commands. What is not given is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandRule {
    /// Programs: names (for those in the standard directories), absolute paths, or `*` for any.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    pub programs: Vec<String>,
    /// Flags, in whatever form: `-r` is `--recursive`. Allow: only these; absent: all but those that start programs or
    /// write files. Deny: any of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    pub flags: Option<Vec<String>>,
    /// Regular expressions for whole arguments. Allow: each argument matches one. Deny: one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 512)))]
    pub args: Option<Vec<String>>,
    /// Patterns of paths, such as `/var/log/**`. Allow: what it reads matches one. Deny: one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 512)))]
    pub reads: Option<Vec<String>>,
    /// The same for what it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 512)))]
    pub writes: Option<Vec<String>>,
    /// Whether it may start other programs, which nobody checks: that makes the rule a guardrail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_start: bool,
    /// Deny: what the person is told. Allow: what it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub message: Option<String>,
}

impl Commands {
    /// As decisions read it; `named` are the CommandSets that there are.
    pub(super) fn input(&self, named: &[rules::NamedSet]) -> rules::CommandsInput {
        rules::CommandsInput {
            shell: match self.shell {
                ShellKind::Guarded => rules::ShellKind::Guarded,
                ShellKind::Open => rules::ShellKind::Open,
            },
            sets: self.sets.clone(),
            named: named.to_vec(),
            allow: inputs(&self.allow),
            deny: inputs(&self.deny),
            protected_paths: self.protected_paths.clone(),
            environment: self.environment.clone(),
            pipes: self.pipes,
            redirections: self.redirections,
            on_denied: match self.on_denied {
                OnDenied::Tell => rules::OnDenied::Tell,
                OnDenied::Ask => rules::OnDenied::Ask,
                OnDenied::Alert => rules::OnDenied::Alert,
                OnDenied::End => rules::OnDenied::End,
            },
            on_lost_track: match self.on_lost_track {
                OnLostTrack::Tolerate => rules::OnLostTrack::Tolerate,
                OnLostTrack::Flag => rules::OnLostTrack::Flag,
                OnLostTrack::End => rules::OnLostTrack::End,
            },
        }
    }
}

/// Rules as decisions read them.
pub(super) fn inputs(rules: &[CommandRule]) -> Vec<rules::RuleInput> {
    rules.iter().map(CommandRule::input).collect()
}

impl CommandRule {
    fn input(&self) -> rules::RuleInput {
        rules::RuleInput {
            programs: self.programs.clone(),
            flags: self.flags.clone(),
            args: self.args.clone(),
            reads: self.reads.clone(),
            writes: self.writes.clone(),
            may_start: self.may_start,
            message: self.message.clone(),
        }
    }
}
