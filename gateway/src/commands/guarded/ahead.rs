//! What is typed before anybody reads it: kept in its order for the next prompt, or held for a moment and then given to
//! the program that runs.
//!
//! A program and the prompt after it have terminals of their own, so that what one of them did not read the other never
//! sees. Where it ends: what a program was given and did not read before it ended is lost.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::shell::Typed;

/// As much is kept of what is typed ahead.
const MOST: usize = 16 * 1024;
/// For so long at most after a program's start, what is typed may be for the next prompt.
const AT_START: Duration = Duration::from_secs(1);
/// For so long at most after an interrupt: a program that ends by it takes that long to be gone from here, where the
/// container, its node or the gateway has much to do.
const AFTER_INTERRUPT: Duration = Duration::from_secs(3);
/// A program that stands for so long behind a text that it showed asks for something, and does not end.
const ASKS: Duration = Duration::from_millis(400);
/// What is due is given away so much later: where all of this stood still, the program's end is heard of first.
pub(super) const SETTLES: Duration = Duration::from_millis(50);

/// Keys by which a terminal interrupts what runs on it: Ctrl-C and Ctrl-\.
const fn interrupts(byte: u8) -> bool {
    matches!(byte, 3 | 0x1c)
}

/// What was typed ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    bytes: BytesMut,
    /// There was more than is kept. Half of it would be another line than was typed, so all of it is forgotten.
    overflown: bool,
    /// Nothing more will be typed.
    over: bool,
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether nothing more will be typed behind what is here.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Nothing more will be typed.
    pub(super) const fn end(&mut self) {
        self.over = true;
    }

    /// Keeps what is typed while nothing reads it. True at Ctrl-C, which forgets what was typed before it.
    pub(super) fn keep(&mut self, typed: Typed) -> bool {
        let mut bytes = match typed {
            Typed::Bytes(bytes) => bytes,
            Typed::Eof => {
                self.end();
                return false;
            }
        };
        let interrupted = bytes.iter().rposition(|byte| *byte == 3);
        if let Some(last) = interrupted {
            drop(bytes.split_to(last + 1));
            self.bytes.clear();
            self.overflown = false;
        }
        if !self.overflown && self.fits(&bytes) {
            self.add(&bytes);
        } else {
            self.bytes.clear();
            self.overflown = true;
        }
        interrupted.is_some()
    }

    fn fits(&self, bytes: &[u8]) -> bool {
        self.bytes.len() + bytes.len() <= MOST
    }

    /// What is left of a frame that was only read in part, before all that comes after it.
    pub(super) fn put_back(&mut self, rest: &[u8]) {
        let later = std::mem::replace(&mut self.bytes, BytesMut::from(rest));
        self.bytes.extend_from_slice(&later);
    }

    /// More, however much there is.
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// All of it, for who reads it now.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        (!self.bytes.is_empty()).then(|| self.bytes.split().freeze())
    }

    /// Whether something was forgotten since this was last asked.
    pub(super) const fn forgot(&mut self) -> bool {
        std::mem::replace(&mut self.overflown, false)
    }
}

/// Until when what is typed to a program is held.
#[derive(Debug)]
pub(super) struct Hold {
    longest: Instant,
    /// Since when it stands behind a text.
    asks: Option<Instant>,
    /// The row that it stands on is nothing but the terminal's echo of an interrupt.
    echo: bool,
    /// It was given what was held, and gets its keys from now on.
    reads: bool,
}

impl Hold {
    /// A program starts: one that is over at once was not meant to read what comes next.
    pub(super) fn starts(now: Instant) -> Self {
        Self { longest: now + AT_START, asks: None, echo: true, reads: false }
    }

    /// When the program gets what is held, if it still runs then.
    pub(super) fn until(&self) -> Instant {
        self.asks.map_or(self.longest, |since| self.longest.min(since + ASKS))
    }

    /// The program gets what was held.
    pub(super) const fn over(&mut self) {
        self.reads = true;
    }

    /// What the program showed. It asks for something where it leaves the cursor behind a text.
    pub(super) fn shown(&mut self, bytes: &[u8], now: Instant) {
        let row = bytes.rsplit(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        if row.len() < bytes.len() {
            (self.asks, self.echo) = (None, true);
        }
        self.echo &= row.iter().all(|byte| b"^C\\".contains(byte));
        if !self.echo {
            self.asks = Some(now);
        }
    }

    /// What the program gets at once; the rest is held. A program that fills the screen reads its keys itself, Ctrl-C among
    /// them: nothing is held for it after one.
    pub(super) fn typed(
        &mut self,
        ahead: &mut Ahead,
        mut bytes: Bytes,
        now: Instant,
        fills_screen: bool,
    ) -> Option<Bytes> {
        if let Some(last) = bytes.iter().rposition(|byte| interrupts(*byte)).filter(|_| !fills_screen) {
            let at_once = bytes.split_to(last + 1);
            ahead.add(&at_once);
            let at_once = ahead.take();
            ahead.put_back(&bytes);
            *self = Self { longest: now + AFTER_INTERRUPT, ..Self::starts(now) };
            return at_once;
        }
        // Keys that are meant for the program whatever else is typed.
        let urgent = bytes.iter().any(|byte| interrupts(*byte) || *byte == 0x1a);
        let held = !self.reads && now < self.until() && !urgent && ahead.fits(&bytes);
        ahead.add(&bytes);
        if held { None } else { ahead.take() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &[u8]) -> Bytes {
        Bytes::copy_from_slice(text)
    }

    fn typed(text: &[u8]) -> Typed {
        Typed::Bytes(bytes(text))
    }

    #[test]
    fn what_is_kept_comes_in_its_order_with_all_its_keys() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.take(), None);
        assert!(!ahead.keep(typed(b"one\r")));
        assert!(!ahead.keep(typed(b"\x04two")));
        assert!(!ahead.keep(Typed::Eof));
        assert_eq!((ahead.take().unwrap().as_ref(), ahead.is_over()), (b"one\r\x04two".as_ref(), true));
        ahead.keep(typed(b"later"));
        ahead.put_back(b"first ");
        assert_eq!(ahead.take().unwrap().as_ref(), b"first later");
    }

    #[test]
    fn an_interrupt_forgets_what_was_typed_before_it_and_nothing_else() {
        let mut ahead = Ahead::default();
        ahead.keep(typed(b"one\r"));
        assert!(ahead.keep(typed(b"two\x03three\x03four")));
        ahead.keep(typed(b" five"));
        assert_eq!(ahead.take().unwrap().as_ref(), b"four five");
    }

    #[test]
    fn too_much_is_forgotten_as_a_whole_and_that_is_told_once() {
        let mut ahead = Ahead::default();
        ahead.keep(typed(&[b'x'; MOST]));
        assert!(!ahead.forgot());
        ahead.keep(typed(b"y"));
        ahead.keep(typed(b"rm z\r"));
        assert_eq!(ahead.take(), None);
        assert!(ahead.forgot() && !ahead.forgot());
        ahead.keep(typed(b"again"));
        assert_eq!(ahead.take().unwrap().as_ref(), b"again");
        ahead.keep(typed(&[b'x'; 2 * MOST]));
        ahead.keep(typed(b"\x03new"));
        assert_eq!((ahead.take().unwrap().as_ref(), ahead.forgot()), (b"new".as_ref(), false));
    }

    #[test]
    fn a_program_gets_nothing_at_first_and_everything_later() {
        let (start, mut ahead) = (Instant::now(), Ahead::default());
        let mut hold = Hold::starts(start);
        assert_eq!(hold.until(), start + AT_START);
        assert_eq!(hold.typed(&mut ahead, bytes(b"a"), start, false), None);
        assert_eq!(hold.typed(&mut ahead, bytes(b"b"), start + AT_START / 2, false), None);
        assert_eq!(hold.typed(&mut ahead, bytes(b"c"), start + AT_START, false).unwrap(), "abc");
        assert_eq!(hold.typed(&mut ahead, bytes(b"d"), start + AT_START, false).unwrap(), "d");
        assert!(ahead.is_empty());
    }

    #[test]
    fn an_interrupt_goes_at_once_with_all_before_it_and_what_follows_is_held() {
        let start = Instant::now();
        for key in [b"\x03", b"\x1c"] {
            let (mut ahead, mut hold) = (Ahead::default(), Hold::starts(start));
            assert_eq!(hold.typed(&mut ahead, bytes(b"a"), start, false), None);
            let one = [b"b".as_slice(), key, b"c", key, b"echo still\r"].concat();
            let at_once = hold.typed(&mut ahead, one.into(), start, false).unwrap();
            assert_eq!(at_once.as_ref(), [b"ab".as_slice(), key, b"c", key].concat());
            let soon = start + AFTER_INTERRUPT / 2;
            assert_eq!(hold.typed(&mut ahead, bytes(b"more"), soon, false), None);
            assert_eq!(hold.until(), start + AFTER_INTERRUPT);
            // Whoever reads next gets it in its order.
            assert_eq!(ahead.take().unwrap(), "echo still\rmore");
            // A second interrupt does not wait for the first to be over.
            let at_once = hold.typed(&mut ahead, bytes(key), soon, false).unwrap();
            assert_eq!((at_once.as_ref(), hold.until()), (key.as_slice(), soon + AFTER_INTERRUPT));
            let late = hold.typed(&mut ahead, bytes(b"x"), soon + AFTER_INTERRUPT, false).unwrap();
            assert_eq!(late, "x");
        }
    }

    #[test]
    fn what_follows_an_interrupt_is_held_for_as_long_as_a_slow_program_may_take_to_end() {
        let start = Instant::now();
        let (mut ahead, mut hold) = (Ahead::default(), Hold::starts(start));
        hold.typed(&mut ahead, bytes(b"\x03echo still\r"), start, false).unwrap();
        // The terminal's echo of it says nothing of the program, nor do lines that it ends with.
        for (millis, shown) in [(10, &b"^"[..]), (20, b"C"), (30, b"\r\n"), (2000, b"a last line\r\n")] {
            let now = start + Duration::from_millis(millis);
            hold.shown(shown, now);
            assert_eq!(hold.until(), start + AFTER_INTERRUPT, "{shown:?}");
        }
        assert_eq!(hold.typed(&mut ahead, bytes(b"more"), start + AFTER_INTERRUPT / 2, false), None);
    }

    #[test]
    fn a_program_that_asks_for_something_gets_what_is_held_soon() {
        let start = Instant::now();
        let later = |millis| start + Duration::from_millis(millis);
        let (mut ahead, mut hold) = (Ahead::default(), Hold::starts(start));
        hold.shown(b"welcome\r\nsql> ", later(100));
        assert_eq!(hold.until(), later(100) + ASKS);
        hold.typed(&mut ahead, bytes(b"\x03select 1;\r"), later(2000), false).unwrap();
        hold.shown(b"^C\r\nsql> ", later(2100));
        assert_eq!(hold.until(), later(2100) + ASKS);
        // It has it: what it shows from now on holds nothing up.
        hold.over();
        assert_eq!(ahead.take().unwrap(), "select 1;\r");
        hold.shown(b"select 1;", later(2510));
        assert_eq!(hold.typed(&mut ahead, bytes(b"x"), later(2520), false).unwrap(), "x");
        // Nothing is held for longer than that, whatever is shown.
        hold.typed(&mut ahead, bytes(b"\x03"), later(3000), false).unwrap();
        hold.shown(b"...", later(5900));
        assert_eq!(hold.until(), later(3000) + AFTER_INTERRUPT);
    }

    #[test]
    fn a_program_that_fills_the_screen_has_ctrl_c_for_a_key_like_others() {
        let (start, mut ahead) = (Instant::now(), Ahead::default());
        let mut hold = Hold::starts(start);
        assert_eq!(hold.typed(&mut ahead, bytes(b"\x03x"), start + AT_START, true).unwrap(), "\x03x");
        assert_eq!(hold.typed(&mut ahead, bytes(b"y"), start + AT_START, true).unwrap(), "y");
    }

    #[test]
    fn what_is_held_is_bounded_and_nothing_of_it_is_lost() {
        let (start, mut ahead) = (Instant::now(), Ahead::default());
        let mut hold = Hold::starts(start);
        assert_eq!(hold.typed(&mut ahead, bytes(&[b'a'; MOST]), start, false), None);
        assert_eq!(hold.typed(&mut ahead, bytes(b"b"), start, false).unwrap().len(), MOST + 1);
        assert!(ahead.is_empty());
    }
}
