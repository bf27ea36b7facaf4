//! A person at a terminal: bytes in, an emulated screen out.

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const SIZE: Size = Size { columns: 100, rows: 30 };

/// A person in front of the shell.
struct Person {
    input: ShellInput,
    output: ShellOutput,
    screen: avt::Terminal,
    /// What was shown and not yet looked at.
    shown: String,
    machine: Machine,
    exit: Option<Exit>,
}

impl Person {
    async fn sits_down() -> Self {
        Self::at(Machine::default(), Book::default(), OnDenied::Tell).await
    }

    async fn at(machine: Machine, desk: Book, on_denied: OnDenied) -> Self {
        let (input, output) = start(Setup {
            container: machine.clone(),
            desk,
            commands: rules(on_denied),
            size: Some(SIZE),
            term: "xterm".to_owned(),
            name: "api-0".to_owned(),
            place: "payments/api-0 (app)".to_owned(),
            colour: false,
        });
        let screen = avt::Terminal::new(SIZE.columns.into(), SIZE.rows.into()).unwrap();
        let mut person = Self { input, output, screen, shown: String::new(), machine, exit: None };
        person.sees("$ ").await;
        person
    }

    async fn types(&self, keys: &str) {
        assert!(self.input.write(Bytes::copy_from_slice(keys.as_bytes())).await);
    }

    /// Waits until this is shown; gives what came before it.
    async fn sees(&mut self, expected: &str) -> String {
        let reading = async {
            loop {
                if let Some((before, after)) = self.shown.split_once(expected) {
                    let before = before.to_owned();
                    self.shown = after.to_owned();
                    return before;
                }
                match self.output.next().await {
                    Some(Output::Stdout(bytes) | Output::Stderr(bytes)) => {
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        self.screen.feed([text.as_str()]);
                        self.shown.push_str(&text);
                    }
                    Some(Output::Exit(exit)) => self.exit = Some(exit),
                    None => panic!("over ({:?}) without {expected:?}: {:?}", self.exit, self.rows()),
                }
            }
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(before) => before,
            Err(_) => panic!("{expected:?} was never shown:\n{}", self.rows().join("\n")),
        }
    }

    /// Types a line; gives what is shown between it and the next prompt.
    async fn runs(&mut self, line: &str) -> String {
        self.types(&format!("{line}\r")).await;
        self.sees("\x1b[?2004l").await;
        let shown = self.sees("\x1b[?2004h").await;
        self.sees("$ ").await;
        shown
    }

    async fn leaves(mut self) -> u8 {
        let rest = async {
            while let Some(output) = self.output.next().await {
                if let Output::Exit(exit) = output {
                    self.exit = Some(exit);
                }
            }
        };
        tokio::time::timeout(PATIENCE, rest).await.expect("an end");
        self.exit.expect("an exit").status()
    }

    fn rows(&self) -> Vec<String> {
        let rows = self.screen.screen().visible_lines().map(|line| line.text().trim_end().to_owned());
        rows.filter(|row| !row.is_empty()).collect()
    }

    fn started(&self, program: &str) -> usize {
        for_the_person(&self.machine).iter().filter(|line| line.contains(program)).count()
    }

    async fn waits_for(&self, program: &str) {
        let started = async {
            while self.started(program) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, started).await.expect("it is started");
    }
}

#[tokio::test]
async fn a_line_runs_and_the_prompt_comes_back_on_a_line_of_its_own() {
    let mut person = Person::sits_down().await;
    assert!(person.rows()[0].contains("guarded shell in payments/api-0 (app)"), "{:?}", person.rows());
    person.runs("printf 'no end'").await;
    let rows = person.rows();
    assert_eq!(rows[rows.len() - 3..], ["api-0:/tmp$ printf 'no end'", "no end", "api-0:/tmp$"]);
    person.types("exit 5\r").await;
    assert_eq!(person.leaves().await, 5);
}

#[tokio::test]
async fn what_shows_nothing_leaves_no_empty_row() {
    let mut person = Person::sits_down().await;
    for line in ["cd /etc", "X=1", "true"] {
        person.runs(line).await;
    }
    person.types("\x03").await;
    person.sees("$ ").await;
    let rows: Vec<_> =
        person.screen.screen().visible_lines().map(|line| line.text().trim_end().to_owned()).collect();
    let shown = rows.iter().rposition(|row| !row.is_empty()).unwrap();
    assert!(rows.iter().take(shown).all(|row| !row.is_empty()), "{rows:?}");
    assert_eq!(rows[shown], "api-0:/etc$");
}

#[tokio::test]
async fn a_variable_that_is_refused_does_not_close_the_shell_to_every_command() {
    let mut person = Person::sits_down().await;
    let shown = person.runs("export ANY=1 LANG=C").await;
    assert!(shown.contains("export: `ANY` is not among"), "{shown}");
    assert!(person.runs("printenv LANG").await.contains("C\n"));
    assert!(person.runs("export").await.trim().ends_with("LANG=C"));
}

#[tokio::test]
async fn going_back_says_where_one_comes_to() {
    let mut person = Person::sits_down().await;
    person.runs("cd /etc").await;
    assert_eq!(person.runs("cd -").await.trim(), "/tmp");
}

#[tokio::test]
async fn a_refusal_marks_the_place_and_what_is_typed_next_runs() {
    let mut person = Person::sits_down().await;
    let shown = person.runs("echo a; uname -r").await;
    assert!(shown.contains("  echo a; uname -r\r\n          ^^^^^^^^\r\n"), "{shown}");
    assert_eq!(person.started("echo"), 0);
    person.types("uname\recho st''ill\r").await;
    person.sees("refused").await;
    person.sees("still").await;
}

#[tokio::test]
async fn nothing_runs_of_a_line_whose_later_parts_depend_on_its_earlier_ones() {
    let mut person = Person::sits_down().await;
    for line in [
        "X=/etc/shadow; echo a; cat $X",
        "cd /etc; echo a; cat shadow",
        "cd /etc && cd .. && echo a && cat etc/shadow",
        "export LD_PRELOAD=/tmp/x.so; echo a",
        "true; echo a; cat < /etc/shadow",
    ] {
        let shown = person.runs(line).await;
        assert!(shown.contains("sallyport: "), "{line}: {shown}");
        assert_eq!(person.started("echo"), 0, "{line}");
    }
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let path = directory.path().canonicalize().unwrap().display().to_string();
    let shown = person.runs(&format!("cd {path}; echo x > f; cat f; X=f; cat $X")).await;
    assert_eq!(shown.lines().collect::<Vec<_>>(), ["x", "x"], "{shown}");
}

#[tokio::test]
async fn ctrl_c_ends_a_pipeline_even_in_a_flood_and_the_rest_of_the_line() {
    let mut person = Person::sits_down().await;
    for line in ["sleep 300 | sort; echo never", "yes | head -n 100000000; echo never"] {
        person.types(&format!("{line}\r")).await;
        person.sees("\x1b[?2004l").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        person.types("\x03").await;
        person.sees("^C").await;
        person.sees("$ ").await;
        assert_eq!(person.runs("echo st$?").await.trim(), "st130", "{line}");
    }
    assert_eq!(person.started("never"), 0);
}

#[tokio::test]
async fn a_paste_of_several_lines_runs_only_at_enter() {
    let mut person = Person::sits_down().await;
    person.types("\x1b[200~echo on''e | sort\recho tw''o | sort\x1b[201~").await;
    person.sees("tw''o | sort").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(person.started("echo"), 0);
    assert_eq!(person.runs("").await, "one\r\ntwo\r\n");
}

#[tokio::test]
async fn a_program_reads_what_is_typed_and_its_end() {
    let mut person = Person::sits_down().await;
    person.types("sort\r").await;
    person.waits_for("sort").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    person.types("b\na\n").await;
    let reading = person.input.eof();
    assert!(reading.await);
    person.sees("a\nb\n").await;
}

#[tokio::test]
async fn what_is_typed_while_a_pipeline_runs_is_the_next_line() {
    let mut person = Person::sits_down().await;
    person.types("sleep 1 | sort\r").await;
    person.waits_for("sleep").await;
    person.types("echo ahe''ad\r").await;
    person.sees("ahead").await;
}

#[tokio::test]
async fn tab_completes_programs_and_paths_as_they_have_to_be_typed() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let path = directory.path().canonicalize().unwrap();
    std::fs::write(path.join("with blank.txt"), "inside\n").unwrap();
    std::fs::create_dir(path.join("directory")).unwrap();
    let mut person = Person::sits_down().await;
    person.runs(&format!("cd {}", path.display())).await;
    person.types("hist\t").await;
    person.sees("history ").await;
    person.types("\x15cat wi\t").await;
    person.sees("with\\ blank.txt ").await;
    let shown = person.runs("").await;
    assert!(shown.contains("inside"), "{shown}");
    person.types("cd d\t").await;
    person.sees("directory/").await;
    person.types("\x15e\t\t").await;
    person.sees("echo").await;
    person.sees("exit").await;
    person.sees("$ e").await;
}

#[tokio::test]
async fn patterns_tell_directories_from_files() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let path = directory.path().canonicalize().unwrap();
    std::fs::write(path.join("file"), "").unwrap();
    std::fs::create_dir_all(path.join("sub/below")).unwrap();
    let mut person = Person::sits_down().await;
    person.runs(&format!("cd {}", path.display())).await;
    assert_eq!(person.runs("echo */ | sort").await, "sub/\r\n");
    assert_eq!(person.runs("echo */* | sort").await, "sub/below\r\n");
}

#[tokio::test]
async fn a_waiting_question_can_be_given_up() {
    let mut person = Person::at(Machine::default(), Book::default(), OnDenied::Ask).await;
    person.types("uname -s\r").await;
    person.sees("asked leads").await;
    person.types("\x03").await;
    person.sees("given up").await;
    person.sees("$ ").await;
    assert_eq!(person.started("uname"), 0);
    let shown = person.runs("uname -s > /tmp/sallyport-never").await;
    assert!(!shown.contains("asked leads") && shown.contains("alone"), "{shown}");
    let shown = person.runs("echo $(id)").await;
    assert!(!shown.contains("asked leads"), "{shown}");
}

#[tokio::test]
async fn an_approved_line_runs_once() {
    let book = Book { answer: Some(Answer::Approved { by: "bob".to_owned() }), ..Book::default() };
    let mut person = Person::at(Machine::default(), book.clone(), OnDenied::Ask).await;
    let shown = person.runs("uname -s").await;
    assert!(shown.contains("bob") && shown.contains("Linux"), "{shown}");
    assert_eq!(person.started("uname"), 1);
    let notes = book.notes.lock().unwrap();
    assert_eq!(notes.iter().filter(|note| note.approved_by.as_deref() == Some("bob")).count(), 1);
}

#[tokio::test]
async fn a_program_leaves_the_terminal_in_order() {
    let mut person = Person::sits_down().await;
    let shown = person.runs("printf '\\033[?1049h\\033[?25l\\033[31mred'").await;
    let (_, tidied) = shown.split_once("red").unwrap();
    for expected in ["\x1b[?1049l", "\x1b[?25h", "\x1b[0m"] {
        assert!(tidied.contains(expected), "{shown:?}");
    }
    assert!(!person.runs("echo plain").await.contains('\x1b'));
}

#[tokio::test]
async fn a_narrow_window_wraps_the_line_that_is_typed() {
    let mut person = Person::sits_down().await;
    person.input.resize(Size { columns: 30, rows: 10 });
    person.screen.resize(30, 10);
    person.types("echo one two three four five").await;
    person.sees("five").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let rows = person.rows();
    let at = rows.iter().position(|row| row.starts_with("api-0:/tmp$ echo")).unwrap();
    assert_eq!(rows[at..], ["api-0:/tmp$ echo one two three", " four five"]);
}

#[tokio::test]
async fn secrets_in_lines_that_cannot_be_read_are_not_put_on_record() {
    let book = Book::default();
    let mut person = Person::at(Machine::default(), book.clone(), OnDenied::Tell).await;
    person.runs("mysql --password=hunter2 $(id)").await;
    let notes = book.notes.lock().unwrap();
    assert_eq!(notes.len(), 1);
    let said = format!("{} {:?}", notes[0].line, notes[0].verdict);
    assert!(!said.contains("hunter2") && said.contains("mysql"), "{said}");
}

#[tokio::test]
async fn hanging_up_ends_what_runs() {
    let mut person = Person::sits_down().await;
    person.types("sleep 300 | sort\r").await;
    person.waits_for("sleep").await;
    person.input.hang_up();
    let over = async { while person.output.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, over).await.expect("an end");
}
