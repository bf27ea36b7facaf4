//! What is said of locks: over SSH, and by `sallyport lock` to who holds a kubeconfig.

use super::reply::Reply;
use super::view::Paper;

use super::{phrase, show};
use crate::access::LockView;
use crate::terminal::table;

/// A line for each lock.
#[must_use]
pub fn lock_table(paper: Paper, locks: &[LockView]) -> Reply {
    if locks.is_empty() {
        return Reply::default().beside("No locks.");
    }
    let row = |lock: &LockView| {
        vec![
            lock.name.clone(),
            phrase::shut_out(lock),
            lock.until.map_or_else(|| "unlocked".to_owned(), phrase::moment),
            lock.by.clone().unwrap_or_default(),
            lock.reason.clone().unwrap_or_default(),
        ]
    };
    let headings = ["NAME", "SHUTS OUT", "UNTIL", "BY", "REASON"];
    Reply::said(paper.fit(&table(&headings, &locks.iter().map(row).collect::<Vec<_>>())))
}

/// It is set; `command` is what people type before `unlock`.
#[must_use]
pub fn locked(lock: &LockView, command: &str) -> Reply {
    let name = show::line(&lock.name);
    let whom = phrase::shut_out(lock);
    Reply::said(format!(
        "{name} shuts out {whom}; what was open there ends now\nLift it with:        {command} unlock {name}\n"
    ))
}

/// It is lifted.
#[must_use]
pub fn unlocked(lock: &LockView) -> Reply {
    Reply::said(format!("{} is lifted; what it ended stays ended\n", show::line(&lock.name)))
}
