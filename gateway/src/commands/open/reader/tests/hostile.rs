//! Nothing that a pod or a person sends breaks the reader or makes it grow.

use proptest::prelude::*;

use super::*;

/// Runs a reader over arbitrary bytes: the first of each piece says what it is.
pub(super) fn through(pieces: &[(u8, Vec<u8>)]) {
    let mut reader = Reader::new(SIZE);
    let (mut now, mut sent, mut got) = (Duration::ZERO, 0, 0);
    for (kind, bytes) in pieces {
        now += Duration::from_millis(u64::from(*kind));
        match kind % 4 {
            0 => reader.output(bytes, now),
            1 => reader.resize(Size::bounded(u32::from(*kind), bytes.len() as u32)),
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
                    assert!(until > now);
                    now = until;
                }
                Next::Line(line) if line.text.len() % 3 == 0 => {
                    reader.wipe(now);
                }
                Next::Line(_) => got += reader.pass(now).len(),
                Next::Idle => break,
            }
        }
        while reader.next_notice().is_some() {}
        assert!(got <= sent, "{got} bytes came out of {sent}");
        assert!(reader.kept() < 4 * MOST_QUEUED, "{}", reader.kept());
    }
}

fn piece() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let fragments = prop::sample::select(vec![
        &b"\r"[..],
        b"\n",
        b"\r\n",
        b"$ ",
        b"# ",
        b"> ",
        b"rm -rf /",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b[?2004h",
        b"\x1b[?2004l",
        b"\x1b[200~",
        b"\x1b[201~",
        b"\x1b[2J",
        b"\x1b[H",
        b"\x1b[99999;99999H",
        b"\x1b[9999T",
        b"\x1b[2;3r",
        b"**\x18B00",
        b"\x1b[6n",
        b"\x1b[5;5R",
        b"\0",
        b"\xc0\xaf",
        b"\xe2\x80\x8f",
        b"\x1b]133;B\x07",
        b"\x1b]0;",
        b"\x03",
        b"\x04",
        b"\x0f",
        b"\x1bOM",
        b"\x12",
        b"(reverse-i-search)`",
        b"': ",
        "漢".as_bytes(),
        b"\x08",
        b"\x7f",
        b"\x15",
        b"PS1=",
        b"\x1b[8;1;1t",
        b"\x1bc",
        b"'",
        b"<<",
    ]);
    let some = prop::collection::vec(
        prop_oneof![fragments.prop_map(<[u8]>::to_vec), prop::collection::vec(any::<u8>(), 0..12)],
        0..12,
    );
    (any::<u8>(), some.prop_map(|parts| parts.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn arbitrary_bytes_never_break_it(pieces in prop::collection::vec(piece(), 0..24)) {
        through(&pieces);
    }
}

#[test]
fn floods_keep_little() {
    let mut reader = Reader::new(SIZE);
    for round in 0..200_u64 {
        reader.output(&b"$ some output\r\n".repeat(1000), Duration::from_millis(round));
        reader.output(&vec![b'x'; 100_000], Duration::from_millis(round));
    }
    assert!(reader.kept() < MOST_QUEUED, "{}", reader.kept());
}
