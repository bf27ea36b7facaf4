//! `commands` of an `AccessPolicy` as it is written.

use super::{NamedSet, OnDenied, OnLostTrack, ShellKind};

/// `commands`, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandsInput {
    /// `shell`.
    pub shell: ShellKind,
    /// `sets`: named sets whose rules are added: built-in ones, or some of `named`.
    pub sets: Vec<String>,
    /// Sets that people have written, of which `sets` may name some.
    pub named: Vec<NamedSet>,
    /// `allow`.
    pub allow: Vec<RuleInput>,
    /// `deny`.
    pub deny: Vec<RuleInput>,
    /// `protectedPaths`: patterns of paths that no rule opens; `read:` or `write:` before one confines it to that, and
    /// `default` stands for the default list. `None` for the default list.
    pub protected_paths: Option<Vec<String>>,
    /// `environment`: names, and patterns of names, that may be set; `None` for the default list.
    pub environment: Option<Vec<String>>,
    /// `pipes`: whether a command's output may go to another one. Defaults to true.
    pub pipes: Option<bool>,
    /// `redirections`: whether input and output may come from and go to files. Defaults to true; the paths are checked.
    pub redirections: Option<bool>,
    /// `onDenied`.
    pub on_denied: OnDenied,
    /// `onLostTrack`.
    pub on_lost_track: OnLostTrack,
}

/// One of `commands.allow` or `commands.deny`, unchecked.
///
/// An allow rule lets a command pass that fits all of its fields; a deny rule forbids one that fits all of them, in any
/// way of reading it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleInput {
    /// `programs`: names, absolute paths, or `*` for any. A name means the program in the standard directories.
    pub programs: Vec<String>,
    /// `flags`: allow: the only ones; deny: any of them. By any of their names (`-n`, `--lines`), with `=VALUE` for one
    /// value (a pattern) and `!` behind what has to be there; `:change` stands for words that change something (`ip link
    /// set`). Absent: any that is known and neither starts programs, nor writes files, nor changes something.
    pub flags: Option<Vec<String>>,
    /// `args`: regular expressions over whole arguments that are not flags; allow: each must match one; deny: any that does.
    pub args: Option<Vec<String>>,
    /// `reads`: patterns of paths that may be read; absent: any that is not protected. Deny: any of them is read.
    pub reads: Option<Vec<String>>,
    /// `writes`: patterns of paths that may be written; absent: what the program's own
    /// arguments name, unless it is protected, and no file by redirection. Deny: any of them is
    /// written.
    pub writes: Option<Vec<String>>,
    /// `mayStart`: whether it may start other programs, unchecked. Makes the rule a guardrail.
    pub may_start: bool,
    /// `message`: what the person is told (deny), or what it is for (allow).
    pub message: Option<String>,
}
