//! The typed line, from the screen: a state machine without I/O or a clock.
//!
//! Keys pass at once. At a line's end the reader waits until the screen agrees with what was typed, or has been silent
//! for long enough, and gives the line away for judging before that end goes to the pod. Afterwards it looks whether the
//! row that the cursor left says what was judged.
//!
//! Where its guarantee ends: it reads what the screen says, and what the screen says is up to the container. It prevents
//! mistakes; `docs/guardrail-gaps.md` names what it misses.

use std::collections::VecDeque;
use std::time::Duration;

use sallyport_policy::line;

use super::keys::Keys;
use super::picture::{Picture, Watch};
use super::programs::Programs;
use super::prompts::{Prompts, Whose};
use super::typed::{Typed, squashed};
use crate::terminal::Size;
use lag::Lag;

/// Silence after which what was typed and is not shown will not be.
const SILENCE: Duration = Duration::from_millis(400);
/// The same, while what is shown is nothing or the beginning of what was typed: it is on its way.
const SILENCE_IN_ECHO: Duration = Duration::from_secs(4);
/// The same, where nothing came since the shell's last line: no program spoke, and the prompt may be late.
const SILENCE_BEFORE_PROMPT: Duration = Duration::from_secs(2);
/// The longest wait at a line's end, while output goes on.
const MOST_WAIT: Duration = Duration::from_secs(6);
/// Silence after a key that edits, after which the line is what the screen says. Who looks before they press Enter has
/// waited for longer.
const QUIET: Duration = Duration::from_millis(150);
/// How long what is typed ahead waits for a prompt, before it goes to the program that runs.
const START: Duration = Duration::from_millis(500);
/// The same, for the shell itself to start.
const STARTUP: Duration = Duration::from_secs(3);
/// The same, after Ctrl-C.
const AFTER_INTERRUPT: Duration = Duration::from_millis(150);
/// Silence behind some text after a command began: a program asks for something.
const ASKING: Duration = Duration::from_millis(60);
/// The most that waits to be passed on.
pub(super) const MOST_QUEUED: usize = 256 * 1024;
/// The most notices kept.
const MOST_NOTICES: usize = 64;

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, until there is input.
    Idle,
    /// Send this to the pod.
    Pass(Vec<u8>),
    /// Ask again after output, or at this time.
    Wait(Duration),
    /// Judge this; then [`Reader::pass`] or [`Reader::wipe`].
    Line(Line),
}

/// A line that waits for its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// All of it, with the lines before it that it continues.
    pub(super) text: String,
    /// What it could be instead: typed and shown differ, and both could be what the shell got.
    pub(super) or: Option<String>,
    /// Why it is not sure.
    pub(super) lost: Option<&'static str>,
}

/// Something seen that is no line to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Noticed {
    /// A line typed into a program, as its echo showed it.
    Program(String),
    /// A line typed ahead of the prompt that the shell took without our seeing it before.
    Ahead(String),
    /// The shell got something other than what was judged.
    Changed {
        /// What was judged.
        read: String,
        /// What the row said when it ran.
        ran: String,
    },
    /// Ctrl-X Ctrl-E.
    Editor,
}

/// What rids a shell of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wipe {
    /// Sent first, with time to be read: what comes then empties the terminal's queue.
    pub(super) first: Option<u8>,
    pub(super) then: u8,
}

/// A line's end that waits.
#[derive(Debug)]
struct Held {
    byte: u8,
    /// An escape sequence had begun before it.
    within: bool,
    since: Duration,
    /// It seems to be a program's: the screen may yet show that it is the shell's.
    perhaps: bool,
    /// Given away for judging.
    judged: Option<Line>,
}

/// The row that is typed on.
#[derive(Debug, Default)]
struct Place {
    /// Whose input it is; `None` before the first key.
    whose: Option<Whose>,
    /// What stands before the input.
    prompt: String,
    /// It continues a command.
    continued: bool,
}

/// See the module.
pub(super) struct Reader {
    picture: Picture,
    prompts: Prompts,
    programs: Programs,
    keys: Keys,
    typed: Typed,
    place: Place,
    queue: VecDeque<u8>,
    held: Option<Held>,
    /// Until when what is typed waits for a prompt, and since when.
    starting: Option<(Duration, Duration)>,
    in_paste: bool,
    /// The shell's last line.
    last: Option<String>,
    /// The lines before this one that it may continue, and whether it surely does.
    before: String,
    unfinished: bool,
    /// A line that was wiped, until a prompt shows that the shell gave it up.
    wiped: Option<String>,
    /// What the row must say when the cursor leaves it.
    expected: Option<String>,
    noticed: VecDeque<Noticed>,
    last_output: Duration,
    last_key: Duration,
    lag: Lag,
    /// A line's end waited in vain for an echo: the next ones do not.
    mute: bool,
    /// A full-screen program had the screen when somebody last looked.
    full: bool,
    /// A program took a line, and nothing since makes it likely that it ended.
    program_reads: bool,
    gave_up: bool,
}

impl Reader {
    pub(super) fn new(size: Size) -> Self {
        Self {
            picture: Picture::new(size),
            prompts: Prompts::default(),
            programs: Programs::default(),
            keys: Keys::new(),
            typed: Typed::new(),
            place: Place::default(),
            queue: VecDeque::new(),
            held: None,
            starting: Some((Duration::ZERO, STARTUP)),
            in_paste: false,
            last: None,
            before: String::new(),
            unfinished: false,
            wiped: None,
            expected: None,
            noticed: VecDeque::new(),
            last_output: Duration::ZERO,
            last_key: Duration::ZERO,
            lag: Lag::default(),
            mute: false,
            full: false,
            program_reads: false,
            gave_up: false,
        }
    }

    /// Output of the pod, before it is shown.
    pub(super) fn output(&mut self, bytes: &[u8], now: Duration) {
        self.last_output = now;
        self.lag.came(now);
        self.picture.output(bytes);
        if self.picture.watched() != Watch::Off || self.expected.is_some() {
            self.picture.settle();
        }
        self.look_back();
    }

    /// The gateway's own words, as they are shown.
    pub(super) fn said(&mut self, bytes: &[u8]) {
        self.picture.watch(Watch::Off);
        self.expected = None;
        self.picture.output(bytes);
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.picture.resize(size);
    }

    pub(super) fn alternate(&mut self) -> bool {
        self.picture.settle();
        self.picture.alternate()
    }

    /// Whether the cursor stands at the beginning of an empty row.
    pub(super) fn at_margin(&mut self) -> bool {
        self.picture.settle();
        self.picture.row().text.is_empty()
    }

    /// How many bytes may be given to [`Reader::input`] now.
    pub(super) fn room(&self) -> usize {
        MOST_QUEUED.saturating_sub(self.queue.len())
    }

    /// Whether nothing waits.
    pub(super) fn idle(&self) -> bool {
        self.queue.is_empty() && self.held.is_none()
    }

    /// What the person typed. A lone Ctrl-C overtakes what waits, as a terminal's does.
    pub(super) fn input(&mut self, bytes: &[u8]) {
        if matches!(bytes, [0x03 | 0x1c]) && !self.idle() {
            self.queue.clear();
            if self.held.as_ref().is_some_and(|held| held.judged.is_some()) {
                self.gave_up = true;
                return;
            }
            self.held = None;
            self.starting = None;
            self.in_paste = false;
        }
        self.queue.extend(bytes);
    }

    /// Whether a prompt shows that the shell is rid of the wiped line.
    pub(super) fn gave_line_up(&mut self) -> bool {
        self.picture.settle();
        let row = self.picture.row();
        self.picture.ends() > 0 && self.prompts.recognises(row.left(), self.last.as_deref())
    }

    /// Whether the wiped line stands behind a prompt again.
    pub(super) fn line_stands(&mut self) -> bool {
        self.picture.settle();
        let row = self.picture.row();
        let behind = self.prompts.begins(&row.text).and_then(|length| row.text.get(length..));
        let wiped = self.wiped.as_deref().and_then(|wiped| wiped.lines().last());
        behind.zip(wiped).is_some_and(|(behind, wiped)| squashed(behind) == squashed(wiped))
    }

    /// Whether the person gave up on the line that is being judged.
    pub(super) const fn gave_up(&self) -> bool {
        self.gave_up
    }

    pub(super) fn next_notice(&mut self) -> Option<Noticed> {
        self.noticed.pop_front()
    }

    /// What to do now.
    pub(super) fn poll(&mut self, now: Duration) -> Next {
        if let Some(held) = &self.held {
            if held.judged.is_some() {
                return Next::Idle;
            }
            let since = held.since;
            return self.read_held(since, now);
        }
        if self.queue.is_empty() {
            return Next::Idle;
        }
        self.left_full_screen(now);
        if let Some(until) = self.blocked(now) {
            return Next::Wait(until);
        }
        let mut out = Vec::new();
        while self.held.is_none()
            && self.starting.is_none()
            && let Some(byte) = self.queue.pop_front()
        {
            let within = self.keys.in_the_middle();
            match self.keys.feed(byte) {
                None => out.push(byte),
                Some(key) => self.key(key, (byte, within), &mut out, now),
            }
        }
        if out.is_empty() {
            return self.poll_held(now);
        }
        if !self.mute && matches!(self.place.whose, Some(Whose::Shell(_))) {
            self.lag.sent(now);
        }
        Next::Pass(out)
    }

    fn poll_held(&mut self, now: Duration) -> Next {
        match &self.held {
            Some(held) if held.judged.is_none() => {
                let since = held.since;
                self.read_held(since, now)
            }
            _ => Next::Idle,
        }
    }

    fn new_line(&mut self) {
        self.typed = Typed::new();
        self.place = Place::default();
    }

    /// The line is gone, and a prompt comes.
    fn given_up(&mut self, now: Duration, wait: Duration) {
        self.new_line();
        self.before.clear();
        self.unfinished = false;
        self.program_reads = false;
        self.in_paste = false;
        self.picture.count_from_here();
        self.starting = Some((now, now + wait));
    }

    /// A full-screen program that ended leaves its shell to show a prompt.
    fn left_full_screen(&mut self, now: Duration) {
        if std::mem::take(&mut self.full) {
            self.full = self.alternate();
            if !self.full && self.starting.is_none() {
                self.picture.count_from_here();
                self.program_reads = false;
                self.starting = Some((Duration::ZERO, now + self.lag.patience(START)));
            }
        }
    }

    /// Until when what is typed has to wait for a prompt.
    fn blocked(&mut self, now: Duration) -> Option<Duration> {
        let (since, until) = self.starting?;
        // What stops a program does not wait for it.
        let stops = matches!(self.queue.front(), Some(0x03 | 0x04 | 0x1a | 0x1c));
        if now >= until || stops {
            self.starting = None;
            return None;
        }
        self.picture.settle();
        let row = self.picture.row();
        let left = row.left();
        let ended = self.picture.ends() > 0 || since == Duration::ZERO;
        let prompt = self.prompts.recognises(left, self.last.as_deref())
            || !self.before.is_empty() && left == super::prompts::CONTINUED;
        let at_prompt = ended && prompt && self.picture.between_sequences() && row.cursor == row.text.len();
        let asking = ended && !left.trim().is_empty() && self.last_output > since;
        let asked = self.last_output + self.lag.patience(ASKING);
        self.full |= self.picture.alternate();
        if self.full || at_prompt || asking && now >= asked {
            self.starting = None;
            return None;
        }
        Some(if asking { until.min(asked) } else { until })
    }

    fn notice(&mut self, noticed: Noticed) {
        if self.noticed.len() < MOST_NOTICES {
            self.noticed.push_back(noticed);
        }
    }

    fn rewatch(&mut self) {
        let watch = match (&self.expected, self.programs.waits()) {
            (_, true) => Watch::All,
            (Some(_), false) => Watch::Next,
            (None, false) => Watch::Off,
        };
        if self.picture.watched() != watch {
            self.picture.watch(watch);
        }
    }

    /// Looks at the rows that the cursor left.
    fn look_back(&mut self) {
        for row in self.picture.take_left() {
            if let Some(expected) = self.expected.take()
                && let Some(length) = self.prompts.begins(&row.text)
            {
                let ran = row.text.get(length..).unwrap_or_default();
                if squashed(ran) != expected {
                    let changed = Noticed::Changed { read: expected, ran: ran.to_owned() };
                    self.notice(changed);
                }
                continue;
            }
            let prompt = self.prompts.begins(&row.text);
            if let Some(noticed) = self.programs.left(&row, prompt) {
                self.notice(noticed);
            }
        }
        self.rewatch();
    }

    /// The line's end may go to the pod: what to send.
    pub(super) fn pass(&mut self, now: Duration) -> Vec<u8> {
        let Some(held) = self.held.take() else { return Vec::new() };
        let text = held.judged.map(|line| line.text).unwrap_or_default();
        let own = text.strip_prefix(&self.before).unwrap_or(&text).to_owned();
        self.unfinished = line::parse(&text).is_err_and(|error| error.unfinished);
        self.before = if text.trim().is_empty() || text.len() > line::LONGEST_LINE {
            String::new()
        } else {
            format!("{text}\n")
        };
        self.last = Some(own.clone());
        let one_row =
            !self.place.continued && !own.contains('\n') && !self.picture.alternate() && !own.is_empty();
        self.gave_up = false;
        self.program_reads = false;
        self.in_paste = false;
        self.picture.count_from_here();
        self.expected = one_row.then(|| squashed(&own));
        self.rewatch();
        self.lag.sent(now);
        self.starting = Some((now, now + self.lag.patience(START)));
        self.new_line();
        vec![held.byte]
    }

    /// The line may not run: what to send to be rid of it. What was typed behind it is dropped.
    pub(super) fn wipe(&mut self, now: Duration) -> Wipe {
        let held = self.held.take();
        let within = held.as_ref().is_some_and(|held| held.within);
        self.wiped = held.and_then(|held| held.judged).map(|line| line.text);
        self.gave_up = false;
        self.queue.clear();
        self.expected = None;
        self.given_up(now, self.lag.patience(START));
        // Ctrl-C drops the line in every shell and in the terminal's own line discipline, also one that spans rows; and
        // where something ignores it the line still stands, unread, and is judged again at the next Enter.
        // A shell in the middle of an escape sequence would keep the line: Ctrl-G ends that first.
        Wipe { first: within.then_some(0x07), then: 0x03 }
    }

    /// What is kept, in bytes, beside the emulator's own rows.
    fn kept(&self) -> usize {
        self.picture.kept() + self.queue.len() + self.before.len() + self.noticed.len() * line::LONGEST_LINE
    }
}

/// What Ctrl-R found: ``(reverse-i-search)`x': cmd``.
pub(super) fn search_line(row: &str) -> Option<(&str, &str)> {
    let rest = row.strip_prefix('(')?;
    let (name, rest) = rest.split_once(')')?;
    if !name.ends_with("i-search") {
        return None;
    }
    let rest = rest.strip_prefix(['`', '\''])?;
    let mut splits = rest.match_indices("': ").filter_map(|(at, separator)| {
        let (pattern, found) = (rest.get(..at)?, rest.get(at + separator.len()..)?);
        (found.contains(pattern) || name.starts_with("failed")).then_some((pattern, found))
    });
    splits.next().or_else(|| rest.split_once("':").map(|(pattern, _)| (pattern, "")))
}

mod fuzz;
mod lag;
mod read;
mod typing;

pub(super) use fuzz::through as fuzz;

#[cfg(test)]
mod tests;
