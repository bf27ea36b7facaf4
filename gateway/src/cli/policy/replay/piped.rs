//! Lines that were sent to a shell without a terminal, put together to commands again: each is on record by itself.
//!
//! Where its guarantee ends: which of them the shell took and which a program read is not on record; all are judged.

use std::collections::VecDeque;

use sallyport_policy::line::LONGEST_LINE;

use crate::commands::open::{self, PIPED};
use crate::record::CommandLine;

/// The most lines of one command.
const MOST_LINES: usize = 64;

/// The lines of a session, those of one command as one.
pub(super) fn whole(lines: Vec<CommandLine>) -> Vec<CommandLine> {
    let mut left = VecDeque::from(lines);
    let mut out = Vec::with_capacity(left.len());
    while let Some(first) = left.pop_front() {
        if first.rule != PIPED {
            out.push(first);
            continue;
        }
        let mut text = first.line.clone();
        let mut taken = 0;
        while open::unfinished(&text)
            && taken < MOST_LINES
            && let Some(next) = left.get(taken).filter(|next| next.rule == PIPED)
            && text.len() + next.line.len() < LONGEST_LINE
        {
            text = format!("{text}\n{}", next.line);
            taken += 1;
        }
        if open::unfinished(&text) {
            // What never ends is not what it looked like: each line by itself.
            out.push(first);
            out.extend(left.drain(..taken));
        } else if taken > 0 {
            left.drain(..taken);
            out.push(CommandLine { line: text, argv: Vec::new(), ..first });
        } else {
            out.push(first);
        }
    }
    out.retain(|line| line.rule != PIPED || !line.line.trim_start().starts_with('#'));
    out
}
