use std::sync::atomic::AtomicUsize;

use sallyport_policy::commands::Verdict;

use super::*;
use crate::commands::Answer;

/// What happened, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Did {
    Noted(String),
    Remarked(String),
    Passed(Vec<u8>),
    Ended,
    HungUp,
}

/// A pod and a desk at once.
#[derive(Default)]
struct World {
    did: Mutex<Vec<Did>>,
    /// After so many notes it takes no more.
    takes: Option<usize>,
    noted: AtomicUsize,
}

impl World {
    fn does(&self, did: Did) {
        self.did.lock().unwrap().push(did);
    }

    fn did(&self) -> Vec<Did> {
        std::mem::take(&mut *self.did.lock().unwrap())
    }
}

impl Desk for World {
    async fn note(&self, note: Note) -> Result<(), Unrecorded> {
        // As a disk that takes its time.
        tokio::task::yield_now().await;
        let number = self.noted.fetch_add(1, Ordering::Relaxed);
        if self.takes.is_some_and(|takes| number >= takes) {
            return Err(Unrecorded);
        }
        assert_eq!((note.way, note.verdict.rule.as_str()), (Way::Open, PIPED));
        assert!(note.verdict.cleared.is_some());
        self.does(Did::Noted(note.line));
        Ok(())
    }

    async fn ask(&self, _: &str, _: &Verdict, _: &(dyn Fn(String) + Send + Sync)) -> Answer {
        Answer::Denied(String::new())
    }

    async fn alert(&self, _: &str, _: &Verdict) -> Result<(), Unrecorded> {
        Ok(())
    }

    async fn remark(&self, text: &str) -> Result<(), Unrecorded> {
        self.does(Did::Remarked(text.to_owned()));
        Ok(())
    }
}

struct Pod(Arc<World>);

impl Input for Pod {
    async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
        self.0.does(Did::Passed(bytes.to_vec()));
        Ok(())
    }

    async fn eof(&self) -> Result<(), Closed> {
        self.0.does(Did::Ended);
        Ok(())
    }

    fn half_close(&self) -> bool {
        true
    }

    async fn resize(&self, _: Size) -> Result<(), Closed> {
        Ok(())
    }

    async fn hang_up(&self) {
        self.0.does(Did::HungUp);
    }
}

/// Says these, from the last to the first, and then nothing.
struct Says(Vec<Output>);

impl Source for Says {
    async fn next(&mut self) -> Option<Output> {
        match self.0.pop() {
            Some(output) => Some(output),
            None => std::future::pending().await,
        }
    }
}

type Halves = (PipedInput<Pod, World>, PipedOutput<Pod, Says, World>, Arc<World>);

fn shell(takes: Option<usize>, says: Vec<Output>) -> Halves {
    let world = Arc::new(World { takes, ..World::default() });
    let (input, output) = observe_piped(Pod(Arc::clone(&world)), Says(says), Arc::clone(&world));
    (input, output, world)
}

fn noted(text: &str) -> Did {
    Did::Noted(text.to_owned())
}

fn passed(bytes: &[u8]) -> Did {
    Did::Passed(bytes.to_vec())
}

#[tokio::test]
async fn each_line_is_on_record_before_its_end_is_passed_on_and_nothing_is_changed() {
    let (input, _output, world) = shell(None, Vec::new());
    input.write(Bytes::from_static(b"id\n\n  uname -s\r\nec")).await.unwrap();
    let first = [noted("id"), noted("uname -s"), passed(b"id\n\n  uname -s\r\nec")];
    assert_eq!(world.did(), first);
    input.write(Bytes::from_static(b"ho a")).await.unwrap();
    assert_eq!(world.did(), [passed(b"ho a")]);
    input.write(Bytes::from_static(b"; ls\n")).await.unwrap();
    assert_eq!(world.did(), [noted("echo a; ls"), passed(b"; ls\n")]);
}

#[tokio::test]
async fn a_line_without_an_end_is_on_record_before_the_shell_hears_that_input_is_over() {
    let (input, _output, world) = shell(None, Vec::new());
    input.write(Bytes::from_static(b"rm x")).await.unwrap();
    input.eof().await.unwrap();
    assert_eq!(world.did(), [passed(b"rm x"), noted("rm x"), Did::Ended]);
    let (input, _output, world) = shell(None, Vec::new());
    input.write(Bytes::from_static(b"rm x")).await.unwrap();
    input.hang_up().await;
    input.hang_up().await;
    assert_eq!(world.did(), [passed(b"rm x"), Did::HungUp, noted("rm x"), Did::HungUp]);
    // The shell ended first: a program of it may have read that.
    let (input, mut output, world) = shell(None, vec![Output::Exit(Exit::Code(3))]);
    input.write(Bytes::from_static(b"rm x")).await.unwrap();
    assert!(matches!(output.next().await, Some(Output::Exit(Exit::Code(3)))));
    assert!(output.next().await.is_none());
    assert_eq!(world.did(), [passed(b"rm x"), noted("rm x")]);
}

#[tokio::test]
async fn a_line_that_cannot_be_put_on_record_is_not_passed_on_and_ends_the_session() {
    let shown = Output::Stdout(Bytes::from_static(b"shown"));
    let (input, mut output, world) = shell(Some(1), vec![shown]);
    input.write(Bytes::from_static(b"id\n")).await.unwrap();
    assert!(input.write(Bytes::from_static(b"ls\nrm x\n")).await.is_err());
    assert_eq!(world.did(), [noted("id"), passed(b"id\n"), Did::HungUp]);
    assert!(input.write(Bytes::from_static(b"rm y\n")).await.is_err());
    assert!(
        matches!(output.next().await, Some(Output::Stderr(bytes)) if bytes.starts_with(b"sallyport: this session ends"))
    );
    assert!(matches!(output.next().await, Some(Output::Exit(Exit::Code(79)))));
    assert!(output.next().await.is_none(), "what was not recorded is not shown");
    assert_eq!(world.did(), []);
    // The same where only the end of input makes it a line.
    let (input, mut output, world) = shell(Some(0), Vec::new());
    input.write(Bytes::from_static(b"rm x")).await.unwrap();
    assert!(input.eof().await.is_err());
    assert_eq!(world.did(), [passed(b"rm x"), Did::HungUp]);
    assert!(matches!(output.next().await, Some(Output::Stderr(_))));
    // And where the shell has ended by then.
    let (input, mut output, _world) = shell(Some(0), vec![Output::Exit(Exit::Code(0))]);
    input.write(Bytes::from_static(b"rm x")).await.unwrap();
    assert!(matches!(output.next().await, Some(Output::Stderr(_))));
    assert!(matches!(output.next().await, Some(Output::Exit(Exit::Code(79)))));
    assert!(output.next().await.is_none());
}

#[tokio::test]
async fn a_line_that_is_too_long_is_on_record_by_its_beginning_before_more_of_it_passes() {
    let (input, _output, world) = shell(None, Vec::new());
    let long = vec![b'x'; LONGEST_LINE];
    input.write(Bytes::from(long.clone())).await.unwrap();
    assert_eq!(world.did(), [passed(&long)], "it may end here");
    input.write(Bytes::from_static(b"y")).await.unwrap();
    let did = world.did();
    let [Did::Noted(line), Did::Remarked(why), Did::Passed(_)] = did.as_slice() else { panic!("{did:?}") };
    assert!(line.starts_with("xxxx") && !line.contains('y'), "{line}");
    assert!(why.contains("longer"), "{why}");
    input.write(Bytes::from(long.clone())).await.unwrap();
    input.write(Bytes::from_static(b"z\nid\n")).await.unwrap();
    assert_eq!(world.did(), [passed(&long), noted("id"), passed(b"z\nid\n")], "and the next one whole");
    input.eof().await.unwrap();
    assert_eq!(world.did(), [Did::Ended]);
}

#[tokio::test]
async fn what_is_no_text_is_on_record_as_far_as_it_can_be_shown_and_secrets_are_blotted_out() {
    let (input, _output, world) = shell(None, Vec::new());
    input
        .write(Bytes::from_static(b"\x00\xff\x1b[2Jid\nmysql -phunter2\nexport TOKEN=hunter2\n"))
        .await
        .unwrap();
    let did = world.did();
    let [Did::Noted(line), mysql, export, Did::Passed(_)] = did.as_slice() else { panic!("{did:?}") };
    assert!(line.ends_with("[2Jid") && !line.contains(['\0', '\x1b']), "{line:?}");
    assert_eq!((mysql, export), (&noted("mysql -p****"), &noted("export TOKEN=****")));
}

mod split {
    use proptest::prelude::*;

    use super::*;

    fn all(lines: &mut Lines, mut rest: &[u8]) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        while let Some(sent) = lines.next(&mut rest) {
            found.push((sent.text.to_string(), sent.cut));
        }
        assert!(rest.is_empty());
        found
    }

    proptest! {
        /// In whatever pieces it comes: the same lines, none longer than the bound, and no more kept than it.
        #[test]
        fn lines_are_the_same_in_whatever_pieces_they_come(
            sizes in proptest::collection::vec(0..3 * LONGEST_LINE, 1..6),
            pieces in proptest::collection::vec(1..2 * LONGEST_LINE, 1..20),
        ) {
            let text: Vec<u8> = sizes
                .iter()
                .enumerate()
                .flat_map(|(n, size)| vec![b'a' + u8::try_from(n).unwrap(); *size].into_iter().chain([b'\n']))
                .collect();
            let mut whole = Lines::default();
            let expected = all(&mut whole, &text);
            let own: Vec<(String, bool)> = sizes
                .iter()
                .enumerate()
                .map(|(n, size)| {
                    let c = char::from(b'a' + u8::try_from(n).unwrap());
                    (String::from(c).repeat((*size).min(LONGEST_LINE)), *size > LONGEST_LINE)
                })
                .collect();
            prop_assert!(expected == own);
            let (mut split, mut found, mut rest) = (Lines::default(), Vec::new(), text.as_slice());
            for piece in pieces.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, behind) = rest.split_at((*piece).min(rest.len()));
                found.extend(all(&mut split, now));
                prop_assert!(split.part.capacity() == LONGEST_LINE);
                rest = behind;
            }
            prop_assert!(found == own);
            prop_assert!(split.rest().is_none());
        }
    }
}
