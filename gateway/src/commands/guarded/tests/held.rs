//! What is typed to a program that is about to end: whose it is.

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// What was started, and what each was given, write by write.
type Given = Vec<(String, Vec<String>)>;

/// Programs that are only played: `sleep` ends at Ctrl-C, before it has read anything behind it; `cat` lives on and ends
/// with its input.
#[derive(Debug, Clone, Default)]
struct Played {
    given: Arc<Mutex<Given>>,
    /// What `cat` says first.
    greeting: &'static str,
}

struct Keys {
    played: Played,
    at: usize,
    out: mpsc::Sender<Output>,
    dies: bool,
}

impl Container for Played {
    type Input = Keys;
    type Output = Stdout;

    async fn start(
        &self,
        command: Cleared,
        _tty: Option<Size>,
        _stdin: bool,
    ) -> Result<(Keys, Stdout), BridgeError> {
        let (out, shown) = mpsc::channel(16);
        let line = command.argv().join(" ");
        let program = command.argv()[0].clone();
        let lives = matches!(program.as_str(), "sleep" | "cat");
        if program == "echo" {
            out.send(Output::Stdout(format!("{}\r\n", command.argv()[1..].join(" ")).into())).await.unwrap();
        }
        if program == "cat" && !self.greeting.is_empty() {
            out.send(Output::Stdout(self.greeting.into())).await.unwrap();
        }
        if !lives {
            let code = if program == "echo" { 0 } else { 127 };
            out.send(Output::Exit(Exit::Code(code))).await.unwrap();
        }
        let mut given = self.given.lock().unwrap();
        given.push((line, Vec::new()));
        let at = given.len() - 1;
        Ok((Keys { played: self.clone(), at, out, dies: program == "sleep" }, Stdout(shown)))
    }
}

impl Input for Keys {
    async fn write(&self, bytes: Bytes) -> bool {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if self.dies && text.contains(['\x03', '\x1c']) {
            let _ = self.out.send(Output::Exit(Exit::Code(130))).await;
        }
        self.played.given.lock().unwrap()[self.at].1.push(text);
        true
    }

    async fn eof(&self) {
        self.played.given.lock().unwrap()[self.at].1.push("(end)".to_owned());
        let _ = self.out.send(Output::Exit(Exit::Code(0))).await;
    }

    fn half_close(&self) -> bool {
        true
    }

    async fn resize(&self, _size: Size) {}

    async fn hang_up(&self) {}
}

struct Sitting {
    input: ShellInput,
    output: ShellOutput,
    played: Played,
    shown: String,
}

impl Sitting {
    fn down(greeting: &'static str) -> Self {
        let played = Played { greeting, ..Played::default() };
        let (input, output) = start(Setup {
            container: played.clone(),
            desk: Book::default(),
            commands: rules(OnDenied::Tell),
            size: Some(Size { columns: 100, rows: 30 }),
            term: "xterm".to_owned(),
            name: "api-0".to_owned(),
            place: "payments/api-0 (app)".to_owned(),
            colour: false,
        });
        Self { input, output, played, shown: String::new() }
    }

    async fn types(&self, keys: &str) {
        assert!(self.input.write(Bytes::copy_from_slice(keys.as_bytes())).await);
    }

    /// Reads on until this holds of what was started and given.
    async fn until(&mut self, holds: impl Fn(&[(String, Vec<String>)]) -> bool) {
        let reading = async {
            while !holds(&self.played.given.lock().unwrap()) {
                tokio::select! {
                    next = self.output.next() => if let Some(Output::Stdout(bytes)) = next {
                        self.shown.push_str(&String::from_utf8_lossy(&bytes));
                    },
                    () = tokio::time::sleep(Duration::from_millis(5)) => {}
                }
            }
        };
        if tokio::time::timeout(PATIENCE, reading).await.is_err() {
            panic!("{:?}\n{}", self.played.given.lock().unwrap(), self.shown);
        }
    }

    async fn starts(&mut self, line: &str) {
        self.types(&format!("{line}\r")).await;
        self.until(|given| has(given, line)).await;
    }

    /// Everything that one was given.
    fn given(&self, line: &str) -> Vec<String> {
        let given = self.played.given.lock().unwrap();
        given.iter().filter(|(there, _)| there == line).flat_map(|(_, given)| given.clone()).collect()
    }

    async fn ends(mut self) -> u8 {
        let rest = async {
            loop {
                match self.output.next().await {
                    Some(Output::Exit(exit)) => return exit.status(),
                    Some(_) => {}
                    None => panic!("no exit"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, rest).await.expect("an end")
    }
}

fn has(given: &[(String, Vec<String>)], line: &str) -> bool {
    given.iter().any(|(there, _)| there == line)
}

#[tokio::test]
async fn what_is_typed_right_after_an_interrupt_is_the_next_line() {
    for frames in [
        &["\x03", "echo still\r"][..],
        &["\x03echo still\r"],
        &["\x1cecho ", "still\r"],
        &["junk", "\x03\x03", "echo still", "\r"],
    ] {
        let mut sitting = Sitting::down("");
        sitting.starts("sleep 300").await;
        for frame in frames {
            sitting.types(frame).await;
        }
        sitting.until(|given| has(given, "echo still")).await;
        let given = sitting.given("sleep 300").concat();
        assert!(given.ends_with(['\x03', '\x1c']) && !given.contains("echo"), "{frames:?}: {given:?}");
    }
}

#[tokio::test]
async fn a_program_that_lives_on_after_an_interrupt_gets_the_rest_in_its_order() {
    let mut sitting = Sitting::down("");
    sitting.starts("cat").await;
    sitting.types("a\x03b").await;
    sitting.types("c").await;
    sitting.until(|given| given.iter().any(|(_, given)| given.concat() == "a\x03bc")).await;
    // What follows the interrupt was a write of its own: it was held.
    assert!(sitting.given("cat").contains(&"a\x03".to_owned()), "{:?}", sitting.given("cat"));
}

#[tokio::test]
async fn an_editor_gets_its_keys_as_they_are_typed() {
    let mut sitting = Sitting::down("\x1b[?1049h");
    sitting.starts("cat").await;
    // Until it has filled the screen.
    while !sitting.shown.contains("1049h") {
        let next = tokio::time::timeout(PATIENCE, sitting.output.next()).await;
        let Ok(Some(Output::Stdout(bytes))) = next else { panic!("{next:?}") };
        sitting.shown.push_str(&String::from_utf8_lossy(&bytes));
    }
    sitting.types("\x03x").await;
    sitting.until(|given| given.iter().any(|(_, given)| given.concat() == "\x03x")).await;
    assert_eq!(sitting.given("cat"), ["\x03x"]);
}

#[tokio::test]
async fn the_end_of_input_reaches_a_program_behind_all_that_was_typed_and_then_the_shell() {
    let mut sitting = Sitting::down("");
    sitting.types("cat\rabc").await;
    assert!(sitting.input.eof().await);
    sitting.until(|given| given.iter().any(|(_, given)| given.concat() == "abc(end)")).await;
    assert_eq!(sitting.ends().await, 0);
}

#[tokio::test]
async fn lines_behind_an_interrupt_run_although_nothing_more_is_typed() {
    let mut sitting = Sitting::down("");
    sitting.starts("sleep 300").await;
    sitting.types("\x03echo one\recho two\r").await;
    assert!(sitting.input.eof().await);
    sitting.until(|given| has(given, "echo two")).await;
    assert!(has(&sitting.played.given.lock().unwrap(), "echo one"));
    assert_eq!(sitting.ends().await, 0);
}

#[tokio::test]
async fn ctrl_d_that_is_typed_ahead_leaves_the_shell_where_it_stands() {
    let mut sitting = Sitting::down("");
    sitting.starts("sleep 300").await;
    sitting.types("\x03echo one\r\x04echo two\r").await;
    sitting.until(|given| has(given, "echo one")).await;
    let played = sitting.played.clone();
    assert_eq!(sitting.ends().await, 0);
    assert!(!has(&played.given.lock().unwrap(), "echo two"));
}

#[tokio::test]
async fn too_much_typed_ahead_is_forgotten_as_a_whole_and_the_person_is_told() {
    let mut sitting = Sitting::down("");
    // A pipeline reads nothing of what is typed.
    sitting.types("sleep 300 | sort\r").await;
    sitting.until(|given| has(given, "sleep 300")).await;
    for _ in 0..3 {
        sitting.types(&"echo never\r".repeat(1000)).await;
    }
    sitting.types("echo half").await;
    sitting.types("\x03echo gone ").await;
    sitting.types(&"y".repeat(20_000)).await;
    sitting.types("echo never\r").await;
    sitting.until(|given| given.len() > 1).await;
    while !sitting.shown.contains("forgotten") {
        let next = tokio::time::timeout(PATIENCE, sitting.output.next()).await;
        let Ok(Some(Output::Stdout(bytes))) = next else { panic!("{next:?}") };
        sitting.shown.push_str(&String::from_utf8_lossy(&bytes));
    }
    sitting.starts("echo again").await;
    assert!(!sitting.played.given.lock().unwrap().iter().any(|(line, _)| line.contains("never")));
}
