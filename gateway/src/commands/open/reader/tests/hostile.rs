//! Nothing that a pod or a person sends breaks the reader or makes it grow.

use proptest::prelude::*;

use super::*;

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
        let mut data = Vec::new();
        for (kind, bytes) in pieces {
            data.push(kind);
            data.push(u8::try_from(bytes.len().min(255)).expect("bounded"));
            data.extend(bytes.into_iter().take(255));
        }
        super::super::fuzz::through(&data);
    }
}

#[test]
fn random_bytes_never_break_it() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        let data: Vec<u8> = (0..600)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                (seed >> 32) as u8
            })
            .collect();
        super::super::fuzz::through(&data);
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
