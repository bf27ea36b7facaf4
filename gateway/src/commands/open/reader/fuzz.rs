//! A reader under arbitrary bytes, for fuzzers and the tests that stand in for them.

use std::time::Duration;

use super::{MOST_QUEUED, Next, Reader};
use crate::terminal::Size;

/// Reads pieces: what a piece is, how long it is, its bytes.
///
/// # Panics
/// Where the reader breaks one of its promises: more comes out than went in, it waits for what is over, or grows.
pub(in super::super) fn through(data: &[u8]) {
    let mut reader = Reader::new(Size { columns: 40, rows: 8 });
    let (mut now, mut sent, mut got) = (Duration::ZERO, 0, 0);
    let mut rest = data;
    while let [kind, length, behind @ ..] = rest {
        let (bytes, behind) = behind.split_at_checked(usize::from(*length)).unwrap_or((behind, &[]));
        rest = behind;
        now += Duration::from_millis(u64::from(*kind));
        match kind % 4 {
            0 => reader.output(bytes, now),
            1 => reader.resize(Size::bounded(u32::from(*kind), u32::from(*length))),
            _ => {
                sent += bytes.len();
                reader.input(bytes);
            }
        }
        // Each step passes something, waits, or gives a line away: there is an end.
        for _ in 0..bytes.len() * 2 + 4 {
            match reader.poll(now) {
                Next::Pass(bytes) => got += bytes.len(),
                Next::Wait(until) => {
                    assert!(until > now, "a wait that is over");
                    now = until;
                }
                Next::Line(line) if line.text.len().is_multiple_of(3) => {
                    reader.wipe(now);
                }
                Next::Line(_) => got += reader.pass(now).len(),
                Next::Idle => break,
            }
        }
        while reader.next_notice().is_some() {}
        assert!(got <= sent, "more came out than went in");
        assert!(reader.kept() < 4 * MOST_QUEUED, "too much is kept");
    }
}
