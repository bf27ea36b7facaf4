//! What somebody is told who typed something else than they meant.
//!
//! Where it ends: it guesses what was meant. What may run, it does not touch; a slip cannot be asked for.

use super::super::facts::{Facts, Stop};
use super::super::{Invocation, OnDenied, Way};
use super::{Commands, No};
use crate::near::slip;

impl Commands {
    /// The no for a name that is a slip for one that may run. Nobody is asked to let a slip pass.
    pub(super) fn mistyped(&self, facts: &Facts) -> Option<No> {
        let program = facts.argv.first()?;
        if facts.known.is_some() || program.contains('/') {
            return None;
        }
        let meant = slip(program, self.programs())?;
        let really = match self.on_denied {
            OnDenied::Ask => "; for a program that is called so write its whole path",
            _ => "",
        };
        let stop =
            Stop::new(format!("no rule allows `{program}`"), format!("did you mean `{meant}`?{really}"));
        Some(No::new("no rule", stop, false))
    }

    /// What may run, as a hint.
    pub(super) fn nearby(&self) -> String {
        let programs = self.programs();
        if programs.is_empty() {
            return "nothing may run here".to_owned();
        }
        let some: Vec<&str> = programs.iter().take(12).copied().collect();
        let more = if programs.len() > some.len() {
            format!(" and {} more", programs.len() - some.len())
        } else {
            String::new()
        };
        format!("what may run: {}{more}", some.join(", "))
    }
}

/// What to do instead of giving a program what only shells understand.
pub(super) fn shells_word(invocation: &Invocation, way: Way) -> Option<String> {
    let mut words = invocation.argv.iter().filter(|_| way == Way::Exec);
    let word = words.find(|word| {
        matches!(
            word.as_str(),
            "|" | "||" | "&" | "&&" | ";" | "<" | ">" | ">>" | "2>" | "2>>" | "2>&1" | "2>/dev/null"
        )
    })?;
    Some(format!(
        "no shell reads this command, so `{word}` is one of its words: `shell` has pipes and the like"
    ))
}
