use proptest::prelude::*;

use super::super::follow::scrolled_off;
use super::*;

const SIZE: Size = Size { columns: 20, rows: 6 };

/// The person's terminal: sees what the program writes and what we add.
struct Bench {
    screen: Screen,
    theirs: Follower,
    undisturbed: Follower,
}

impl Bench {
    fn new() -> Self {
        let mut bench =
            Self { screen: Screen::new(SIZE), theirs: Follower::new(SIZE), undisturbed: Follower::new(SIZE) };
        bench.program(b"\x1b[H\x1b[2J");
        bench
    }

    fn program(&mut self, bytes: &[u8]) {
        self.screen.output(bytes);
        self.theirs.feed(bytes);
        self.undisturbed.feed(bytes);
    }

    fn resize(&mut self, size: Size) {
        self.screen.resize(size);
        self.theirs.resize(size);
        self.undisturbed.resize(size);
    }

    fn show(&mut self, text: &str) -> bool {
        let painted = self.screen.show(text);
        self.theirs.feed(painted.as_deref().unwrap_or_default());
        painted.is_some()
    }

    fn restore(&mut self) -> bool {
        let painted = self.screen.restore();
        self.theirs.feed(painted.as_deref().unwrap_or_default());
        painted.is_some()
    }

    fn rows(&self) -> usize {
        self.theirs.terminal.size().1
    }

    fn row(&self, row: usize) -> String {
        self.theirs.terminal.screen().line(row).unwrap().text().trim_end().to_owned()
    }

    /// Cells, cursor and all modes that the emulator tells of.
    fn same(&self) -> Result<(), TestCaseError> {
        let cells = |f: &Follower| -> Vec<Vec<avt::Cell>> {
            f.terminal.screen().visible_lines().map(|line| line.cells().to_vec()).collect()
        };
        prop_assert_eq!(cells(&self.theirs), cells(&self.undisturbed));
        prop_assert_eq!(self.theirs.terminal.cursor(), self.undisturbed.terminal.cursor());
        prop_assert_eq!(
            format!("{:?}", Modes::of(&self.theirs.terminal)),
            format!("{:?}", Modes::of(&self.undisturbed.terminal))
        );
        Ok(())
    }
}

#[test]
fn a_notice_covers_the_top_row_and_goes_without_a_trace() {
    let mut bench = Bench::new();
    bench.program(b"$ ls\r\na  b  c\r\nd  e  f\r\n$ \x1b[31mvi");
    assert!(bench.show("5 minutes left"));
    assert_eq!(bench.row(0), " 5 minutes left");
    assert_eq!(bench.row(1), "a  b  c");
    bench.program(b"m x");
    assert_eq!(bench.row(3), "$ vim x");
    assert!(bench.restore());
    bench.same().unwrap();
    assert_eq!(bench.row(0), "$ ls");
    assert!(!bench.screen.showing());
}

#[test]
fn on_a_screen_that_was_never_cleared_a_notice_is_a_line_of_its_own() {
    let mut screen = Screen::new(SIZE);
    screen.output(b"$ \x1b[31mls");
    let line = screen.show("5 minutes left").unwrap();
    assert_eq!(line, b"\r\n\x1b[0;7m 5 minutes left\x1b[0;31m\r\n");
    assert!(!screen.showing());
    screen.output(b"\x1b[?1049h");
    assert!(screen.show("5 minutes left").unwrap().starts_with(b"\x1b[?6l"), "an editor's screen is its own");
}

#[test]
fn a_notice_stays_off_the_line_that_is_typed_at_the_top() {
    let mut bench = Bench::new();
    bench.program(b"$ rm -r");
    assert!(bench.show("5 minutes left"));
    assert_eq!(bench.row(0), "$ rm -r");
    assert_eq!(bench.row(bench.rows() - 1), " 5 minutes left");
    assert!(bench.restore());
    bench.same().unwrap();
}

#[test]
fn a_program_that_saved_its_cursor_finds_it_where_it_was() {
    let mut bench = Bench::new();
    bench.program(b"\x1b[3;5H\x1b[32m\x1b7\x1b[0m\x1b[6;1H");
    assert!(bench.show("notice"));
    assert!(bench.restore());
    bench.program(b"\x1b8X");
    bench.same().unwrap();
}

#[test]
fn a_line_filled_to_its_edge_still_wraps_at_the_next_character() {
    for line in ["01234567890123456789", "012345678901234567\u{754c}"] {
        let mut bench = Bench::new();
        bench.program(line.as_bytes());
        assert!(bench.show("notice"));
        bench.program(b"X");
        assert_eq!(bench.row(1), "X");
        assert!(bench.restore());
        bench.same().unwrap();
    }
}

#[test]
fn nothing_is_painted_into_an_escape_sequence_or_a_character() {
    let mut bench = Bench::new();
    for (first, rest) in [(&b"\x1b[3"[..], &b"1mred"[..]), (b"\xe7\x95", b"\x8c"), (b"\x1b]0;ti", b"tle\x07")]
    {
        bench.program(first);
        assert!(!bench.show("notice"));
        bench.program(rest);
        assert!(bench.show("notice"));
        assert!(bench.restore());
        bench.same().unwrap();
    }
}

#[test]
fn a_notice_left_behind_an_editor_is_gone_when_the_editor_ends() {
    let mut bench = Bench::new();
    bench.program(b"$ vi");
    assert!(bench.show("notice"));
    bench.program(b"\x1b[?1049h\x1b[2J\x1b[Hediting");
    assert!(bench.restore());
    assert!(bench.screen.showing(), "the normal screen still has the notice");
    bench.program(b"\x1b[?1049l");
    assert!(bench.restore());
    assert!(!bench.screen.showing());
    bench.same().unwrap();
}

#[test]
fn hostile_text_in_a_notice_stays_text() {
    let mut bench = Bench::new();
    bench.program(b"\r\n\r\n\r\n");
    assert!(bench.show("x\x1b[2Jy\nz and much more than fits in a row"));
    assert_eq!(bench.row(0), " x\u{fffd}[2Jy z and much m");
    assert_eq!(bell("a\x1b\\b"), "\x07\x1b]2;a\u{fffd}\\b\x1b\\".as_bytes());
}

#[test]
fn plain_text_that_scrolled_off_is_not_emulated_and_not_missed() {
    let lines: String =
        (0..5_000).map(|n| format!("line number {n} of many, longer than the row\r\n")).collect();
    assert!(scrolled_off(lines.as_bytes(), 6) > lines.len() - 500);
    let mut bench = Bench::new();
    bench.program(b"\x1b[1mstart");
    for chunk in lines.as_bytes().chunks(1_000) {
        bench.program(chunk);
    }
    assert!(bench.show("notice"));
    assert!(bench.restore());
    bench.same().unwrap();
}

/// What programs write: text, line ends, and the sequences that make painting hard.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[ -~]{1,12}",
        2 => prop::sample::select(vec!["\r\n", "\n", "\r", "\t", "\x08", "\u{754c}", "\u{e9}"]).prop_map(str::to_owned),
        4 => prop::sample::select(vec![
            "\x1b7", "\x1b8", "\x1b[?6h", "\x1b[?6l", "\x1b[?7l", "\x1b[?7h", "\x1b[4h", "\x1b[4l", "\x1b(0", "\x1b(B",
            "\x1b)0", "\x0e", "\x0f", "\x1bM", "\x1bD", "\x1b[L", "\x1b[M", "\x1b[P", "\x1b[@", "\x1b[J", "\x1b[2J",
            "\x1b[K", "\x1b[?1049h", "\x1b[?1049l", "\x1b[?47h", "\x1b[?25l", "\x1b[?25h", "\x1b[S", "\x1b[T",
            "\x1b[31;1m", "\x1b[38;5;200;4m", "\x1b[48;2;1;2;3m", "\x1b[0m", "\x1b[93;44m", "\x1b[r", "\x1b[!p",
        ]).prop_map(str::to_owned),
        2 => (1..8u8, 1..22u8).prop_map(|(row, column)| format!("\x1b[{row};{column}H")),
        1 => (1..4u8, 3..7u8).prop_map(|(top, bottom)| format!("\x1b[{top};{bottom}r")),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn after_a_notice_the_screen_is_what_it_would_have_been(
        before in output(),
        during in output(),
        resized in prop::option::of((5..30u16, 2..10u16)),
        after in output(),
    ) {
        let mut bench = Bench::new();
        bench.program(&before);
        let shown = bench.show("your grant ends in 5 minutes");
        bench.program(&during);
        if let Some((columns, rows)) = resized {
            bench.resize(Size { columns, rows });
        }
        if shown && bench.restore() {
            bench.same()?;
            bench.program(b"\x1b[?6l");
            bench.program(&after);
            if bench.screen.showing() {
                // The normal screen still shows it; it goes once the program is back there.
                bench.program(b"\x1b[?1049l\x1b[?47l\x1b[?6l");
                prop_assert!(bench.restore());
                prop_assert!(!bench.screen.showing());
                bench.same()?;
            }
        }
    }
}
