//! The lobby: everything people type after `ssh prod-gw`, without the SSH library.
//!
//! [`parse`] turns a line into a [`Command`]; [`run`] does those that only answer and gives back what to print;
//! [`wait`] asks and stays until the request is open;
//! `shell`, `exec`, `logs` and `login` stream, and are done by the SSH side, which gets their target from [`place`].
//! Nothing here decides what a person may: it asks [`crate::access`], and passes on the refusal.

mod command;
mod desk;
mod flags;
mod help;
mod locks;
mod near;
mod page;
mod parse;
mod phrase;
mod place;
mod reply;
mod run;
mod show;
mod start;
mod tables;
mod target;
mod usage;
mod verb;
mod view;
mod wait;
mod why;
mod words;

pub use command::{
    Command, Doing, Exec, Extend, Lock, Logs, Output, Pods, Request, Review, Shell, Topic, Unlock, Verdict,
    Wait, Why,
};
pub use desk::{Desk, Live, May};
pub use locks::{lock_table, locked, unlocked};
pub use parse::parse;
pub use phrase::{moment, narrowed, shut_out, state};
pub use place::{namespace, place};
pub use reply::{Failure, Reply};
pub use run::{Context, answer_key, opened, run, whoami_json};
pub use start::Start;
pub use target::{TargetArg, from_user_name, not_own_name};
pub use usage::UsageError;
pub use verb::Verb;
pub use view::{Paper, Who};
pub use wait::{Voice, Waited, wait};
