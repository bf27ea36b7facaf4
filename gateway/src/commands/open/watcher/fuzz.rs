//! A watcher under arbitrary bytes, for fuzzers and the tests that stand in for them.

use std::time::Duration;

use super::Watcher;
use super::rows::Seen;
use crate::terminal::Size;

/// Reads pieces: what a piece is, how long it is, its bytes. What was seen is asked for before the next output, as sessions do.
///
/// # Panics
/// Where the watcher breaks one of its promises: it grows, or tells of more than was shown.
pub(in super::super) fn through(data: &[u8]) {
    let mut watcher = Watcher::new(Size { columns: 40, rows: 8 });
    let mut now = Duration::ZERO;
    let mut shown = Vec::new();
    let mut rest = data;
    while let [kind, length, behind @ ..] = rest {
        let (bytes, behind) = behind.split_at_checked(usize::from(*length)).unwrap_or((behind, &[]));
        rest = behind;
        now += Duration::from_millis(u64::from(*kind));
        match kind % 4 {
            0 | 1 => {
                shown.extend_from_slice(bytes);
                watcher.output(bytes, now);
            }
            2 if *kind == 254 => watcher.resize(Size::bounded(u32::from(*kind), u32::from(*length))),
            _ => watcher.input(bytes, now),
        }
        assert!(watcher.kept() < 16 * 1024 * 1024, "too much is kept");
        drain(&mut watcher, &shown);
    }
    watcher.finish();
    drain(&mut watcher, &shown);
}

fn drain(watcher: &mut Watcher, shown: &[u8]) {
    while let Some(seen) = watcher.seen() {
        if let Seen::Line(text) | Seen::Ahead(text) | Seen::Program(text) = seen {
            let told = text.chars().filter(char::is_ascii_alphanumeric);
            assert!(
                told.into_iter().all(|c| shown.contains(&(c as u8))),
                "what no output had is told: {text}"
            );
        }
        watcher.noted();
    }
}
