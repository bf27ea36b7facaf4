//! The fuzzer's checks, on generated input, for a bounded time and with a stable compiler. `fuzz/` searches further.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "../fuzz/checks/lines.rs"]
mod lines;
#[path = "../fuzz/checks/paths.rs"]
mod paths;

use proptest::prelude::*;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(2048))]

    #[test]
    fn what_holds_for_every_line_holds_for_pieces_of_lines(
        pieces in proptest::collection::vec(
            "[a-c]{1,3}|[ \t\n;|&<>()!#~=^{},.\\[\\]*?'\"`\\\\$-]|\\$[ABES?]|\\$\\{A\\}|&&|\\|\\||2>&1|>>|'[^']{0,4}'|\"[^\"]{0,4}\"|[éü]",
            0..24,
        ),
    ) {
        lines::check(pieces.concat().as_bytes());
    }

    #[test]
    fn what_holds_for_every_line_holds_for_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        lines::check(&bytes);
    }

}

proptest! {
    #![proptest_config(cases(1024))]

    #[test]
    fn no_path_leads_out_of_what_may_be_read(
        pieces in proptest::collection::vec(
            "/|\\.\\.|\\.|\n|-|--|-n|/var/log|var|log|/tmp|tmp|/etc/shadow|[a-c]|\\*| |//|\\.\\./|\\./",
            0..16,
        ),
        directory in "/|/var|/var/log|/var/log/../..|/tmp|x|",
    ) {
        paths::check(format!("{directory}\n{}", pieces.concat()).as_bytes());
    }

    #[test]
    fn no_bytes_lead_out_either(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        paths::check(&bytes);
    }
}
