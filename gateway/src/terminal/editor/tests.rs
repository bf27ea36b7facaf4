//! The editor in front of an emulated terminal: whatever is typed, the screen shows what the editor holds.

use avt::Terminal;
use proptest::prelude::*;

use super::*;

/// An editor, and the terminal that it draws on.
struct Desk {
    editor: Editor,
    terminal: Terminal,
    size: Size,
    sent: usize,
}

const OPTIONS: Options = Options { longest: 2000, history: 10, unfinished: open_quote, capable: true };

fn open_quote(text: &str) -> bool {
    text.matches('\'').count() % 2 == 1
}

fn prompt() -> Prompt {
    vec![("pod".to_owned(), "\x1b[1;32m"), (":/漢$ ".to_owned(), "")]
}

impl Desk {
    fn new(columns: u16, rows: u16) -> Self {
        let size = Size { columns, rows };
        let terminal = Terminal::new(columns.into(), rows.into()).unwrap();
        let mut desk = Self { editor: Editor::new(size, OPTIONS), terminal, size, sent: 0 };
        desk.editor.begin(prompt());
        desk.draw();
        desk
    }

    fn draw(&mut self) {
        let out = self.editor.take_output();
        self.sent += out.len();
        self.terminal.feed([std::str::from_utf8(&out).unwrap()]);
    }

    /// Types, and answers events as a shell would: with the next prompt.
    fn types(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (used, event) = self.editor.feed(rest);
            rest = &rest[used..];
            self.draw();
            if let Some(event) = event {
                if !matches!(event, Event::Complete { .. }) {
                    self.editor.begin(prompt());
                    self.draw();
                }
                events.push(event);
            }
        }
        events
    }

    fn line(&mut self, bytes: &str) -> String {
        match self.types(bytes.as_bytes()).pop() {
            Some(Event::Line(line)) => line,
            other => panic!("{other:?}"),
        }
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.size = Size { columns, rows };
        self.terminal.resize(columns.into(), rows.into());
        self.editor.resize(self.size);
        self.draw();
    }

    fn rows(&self) -> Vec<String> {
        rows(&self.terminal)
    }

    /// Checks the screen against a terminal with plenty of room that the same text is printed on.
    fn agrees(&self) {
        let columns = usize::from(self.size.columns);
        let shown: String = prompt().into_iter().map(|(text, _)| text).collect();
        let print = |text: &str| {
            let mut terminal = Terminal::new(columns, 250).unwrap();
            terminal.feed([format!("{shown}{}", text.replace('\n', "\r\n> ")).as_str()]);
            let at = terminal.cursor();
            // The place behind a full row is the first one below, and a line that ends there begins one further down.
            (terminal, if at.col >= columns { (at.row + 1, 0) } else { (at.row, at.col) })
        };
        let text = self.editor.text.string();
        let (model, _) = print(&padded(&text, &print));
        let (_, cursor) = print(&padded(&self.editor.text.before(), &print));
        let at = self.terminal.cursor();
        assert_eq!(at.col, cursor.1, "column of the cursor in {text:?}: {:?}", self.rows());
        let offset = at.row as isize - cursor.0 as isize;
        let model = rows(&model);
        for (row, line) in self.rows().iter().enumerate() {
            if let Ok(index) = usize::try_from(row as isize - offset) {
                assert_eq!(line, model.get(index).map_or("", String::as_str), "row {row} of {text:?}");
            }
        }
    }
}

/// A full row before a line end takes the row below as well.
fn padded(text: &str, print: &impl Fn(&str) -> (Terminal, (usize, usize))) -> String {
    let mut whole = String::new();
    for part in text.split_inclusive('\n') {
        let (_, at) = print(&(whole.clone() + part.trim_end_matches('\n')));
        let full = part.ends_with('\n') && at.1 == 0;
        whole += &if full { part.replace('\n', " \n") } else { part.to_owned() };
    }
    whole
}

fn rows(terminal: &Terminal) -> Vec<String> {
    terminal.screen().visible_lines().map(|line| line.text().trim_end().to_owned()).collect()
}

#[test]
fn alt_dot_fetches_the_last_words_of_earlier_lines() {
    let mut desk = Desk::new(40, 8);
    for line in ["ls /srv/app", "cat '/var/log/a b'"] {
        desk.line(&format!("{line}\r"));
    }
    assert_eq!(desk.line("head \x1b.\r"), "head '/var/log/a b'");
    assert_eq!(desk.line("ls -l \x1b.\x1b.\x1b. \r"), "ls -l /srv/app ");
    assert_eq!(
        desk.line("x\x1b.\x1b[D\x1b[C\x1b.\r").matches("/srv/app").count(),
        2,
        "another key ends the row"
    );
    let mut empty = Desk::new(40, 8);
    assert_eq!(empty.line("x\x1b.y\r"), "xy");
}

#[test]
fn what_is_typed_is_what_comes_back() {
    let mut desk = Desk::new(20, 5);
    assert_eq!(desk.line("ls -l /étc\r"), "ls -l /étc");
    assert_eq!(desk.rows()[0], "pod:/漢$ ls -l /étc");
    assert_eq!(desk.line("abd\x1b[Dc\x05e\x01x\x1b[3~\r"), "xbcde");
    assert_eq!(desk.types(b"rm -rf\x03"), [Event::Interrupt]);
    assert_eq!(desk.types(b"\x04"), [Event::EndOfInput]);
}

#[test]
fn typing_at_the_end_costs_what_was_typed() {
    let mut desk = Desk::new(80, 24);
    desk.types("x".repeat(1500).as_bytes());
    let before = desk.sent;
    desk.types(b"yz");
    assert_eq!(desk.sent - before, 2);
}

#[test]
fn a_paste_waits_for_enter() {
    let mut desk = Desk::new(20, 6);
    assert_eq!(desk.types(b"\x1b[200~ls\nrm x\r\nwho\x03ami\x1b[201~"), []);
    desk.agrees();
    assert_eq!(desk.line("\r"), "ls\nrm x\nwhoami");
}

#[test]
fn an_open_quote_goes_on_in_the_next_line() {
    let mut desk = Desk::new(20, 6);
    assert_eq!(desk.types(b"echo 'a\r"), []);
    desk.agrees();
    assert_eq!(desk.line("b'\r"), "echo 'a\nb'");
}

#[test]
fn the_history_is_walked_and_searched() {
    let mut desk = Desk::new(40, 8);
    for line in ["cat one\r", "ls\r", " hidden\r", "cat two\r"] {
        desk.line(line);
    }
    assert_eq!(desk.line("\x1b[A\x10\x1b[B\r"), "cat two");
    assert_eq!(desk.line("\x12cat\x12\r"), "cat one");
    assert_eq!(desk.line("dra\x12xyz\x07ft\r"), "draft");
    desk.types(b"\x12ls");
    assert!(desk.rows().contains(&"(history search) `ls`: ls".to_owned()), "{:?}", desk.rows());
    assert_eq!(desk.line("\x05 -l\r"), "ls -l");
    assert!(desk.editor.history().all(|line| !line.contains("hidden")));
}

#[test]
fn completion_fills_in_and_lists_on_the_second_tab() {
    let mut desk = Desk::new(30, 8);
    let candidates = |names: &[&str]| -> Vec<Candidate> {
        let all = names.iter().map(|name| (*name).to_owned());
        all.map(|text| Candidate { shown: text.clone(), text, complete: true }).collect()
    };
    let answer = |desk: &mut Desk, names: &[&str]| {
        let [Event::Complete { text, cursor }] = &desk.types(b"\t")[..] else { panic!("no question") };
        let offer = Offer { asked: text.clone(), from: 4, to: *cursor, candidates: candidates(names) };
        desk.editor.offer(&offer);
        desk.draw();
    };
    desk.types(b"cat f x\x1b[D\x1b[D");
    answer(&mut desk, &["fit", "fine"]);
    assert_eq!(desk.editor.text.string(), "cat fi x");
    answer(&mut desk, &["fit", "fine"]);
    assert!(!desk.rows().iter().any(|row| row.contains("fine")));
    answer(&mut desk, &["fit", "fine"]);
    assert_eq!(desk.rows()[1..3], ["fit   fine", "pod:/漢$ cat fi x"]);
    desk.agrees();
    assert_eq!(desk.line("n\r"), "cat fin x");
}

#[test]
fn there_is_an_end_to_a_line() {
    let mut desk = Desk::new(30, 5);
    let line = desk.line(&("a".repeat(3000) + "\r"));
    assert_eq!(line.len(), 2000);
}

#[test]
fn bytes_behind_a_line_are_left_to_whoever_reads_next() {
    let mut editor = Editor::new(Size { columns: 20, rows: 5 }, OPTIONS);
    assert_eq!(editor.feed(b"early"), (0, None));
    editor.begin(prompt());
    assert_eq!(editor.feed(b"cat\rhello\r"), (4, Some(Event::Line("cat".to_owned()))));
    assert_eq!(editor.feed(b"hello\r"), (0, None));
}

#[test]
fn a_smaller_window_shows_the_same_line() {
    let mut desk = Desk::new(40, 10);
    desk.types(b"one two three four five six seven\x1b[D\x1b[D");
    for columns in [20, 9, 60, 40] {
        desk.resize(columns, 10);
        desk.agrees();
    }
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    let typed = "[ab漢👩é ]{1,6}".prop_map(String::into_bytes);
    let pasted = "[ab漢 \n]{1,30}".prop_map(|text| format!("\x1b[200~{text}\x1b[201~").into_bytes());
    const KNOWN: [&str; 32] = [
        "\x01",
        "\x02",
        "\x05",
        "\x06",
        "\x0b",
        "\x14",
        "\x15",
        "\x17",
        "\x19",
        "\x7f",
        "\x04",
        "\x0c",
        "\r",
        "\x12",
        "\x07",
        "\x10",
        "\x0e",
        "\x1bb",
        "\x1bf",
        "\x1bd",
        "\x1b.",
        "\x1b\x7f",
        "\x1b[A",
        "\x1b[B",
        "\x1b[C",
        "\x1b[D",
        "\x1b[H",
        "\x1b[F",
        "\x1b[3~",
        "\x1b[1;5D",
        "\x03",
        "'",
    ];
    let known = prop::sample::select(&KNOWN[..]).prop_map(|key| key.as_bytes().to_vec());
    let anything = prop::collection::vec(any::<u8>(), 1..4);
    prop_oneof![4 => typed, 1 => pasted, 6 => known, 1 => anything]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_screen_shows_what_the_editor_holds(
        columns in 4u16..30,
        rows in 2u16..9,
        typed in prop::collection::vec(keys(), 1..40),
    ) {
        let mut desk = Desk::new(columns, rows);
        for bytes in typed {
            desk.types(&bytes);
            let plain = desk.editor.text.string().chars().all(|c| text::width(c) > 0 && c != '\t');
            if desk.editor.search.is_none() && plain {
                desk.agrees();
            }
        }
    }
}
