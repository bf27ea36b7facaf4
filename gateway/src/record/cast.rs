//! asciicast v2 (<https://docs.asciinema.org/manual/asciicast/v2/>): a header line, then one line per event.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::session::Session;
use super::text::Decoder;
use crate::terminal::{Size, clean};

/// Longest text in one event, in bytes before JSON escapes it; longer output becomes several events.
const MAX_TEXT: usize = 16 * 1024;

/// Where shown bytes came from; each has its own characters cut in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Output,
    Errors,
}

#[derive(Serialize)]
struct Header<'a> {
    version: u8,
    width: u16,
    height: u16,
    timestamp: i64,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<Env<'a>>,
}

#[derive(Serialize)]
struct Env<'a> {
    #[serde(rename = "TERM")]
    term: &'a str,
}

/// The header line.
pub(super) fn header(session: &Session, size: Size) -> std::io::Result<Vec<u8>> {
    let place = session.pod.as_deref().or(session.target.as_deref()).unwrap_or("-");
    let title = format!("{} · {}/{place} · {}", session.person.username, session.namespace, session.request);
    let header = Header {
        version: 2,
        width: size.columns,
        height: size.rows,
        timestamp: session.started.as_second(),
        title: clean(&title),
        command: session.command.as_ref().map(|argv| clean(&shell_words::join(argv))),
        env: session.terminal.as_ref().and_then(|t| t.term.as_deref()).map(|term| Env { term }),
    };
    let mut line = serde_json::to_vec(&header)?;
    line.push(b'\n');
    Ok(line)
}

/// Turns what happens into event lines, collected in `lines` until they are written.
#[derive(Debug)]
pub(super) struct Events {
    /// Lines not yet written.
    pub(super) lines: Vec<u8>,
    output: Decoder,
    errors: Decoder,
    /// Without a PTY nothing turns line feeds into what a terminal needs, so it is done here.
    line_feeds: bool,
    last: Duration,
}

impl Events {
    pub(super) fn new(pty: bool) -> Self {
        Self {
            lines: Vec::new(),
            output: Decoder::default(),
            errors: Decoder::default(),
            line_feeds: !pty,
            last: Duration::ZERO,
        }
    }

    pub(super) fn shown(&mut self, at: Duration, source: Source, bytes: &[u8]) {
        let mut text = String::with_capacity(bytes.len() + 4);
        match source {
            Source::Output => self.output.decode(bytes, &mut text),
            Source::Errors => self.errors.decode(bytes, &mut text),
        }
        self.output_event(at, &text);
    }

    pub(super) fn resized(&mut self, at: Duration, size: Size) {
        self.event(at, 'r', &format!("{}x{}", size.columns, size.rows));
    }

    pub(super) fn marker(&mut self, at: Duration, label: &str) {
        self.event(at, 'm', &clean(label));
    }

    /// The streams are over.
    pub(super) fn finish(&mut self, at: Duration) {
        let mut text = String::new();
        self.output.finish(&mut text);
        self.errors.finish(&mut text);
        self.output_event(at, &text);
    }

    fn output_event(&mut self, at: Duration, text: &str) {
        let fed;
        let mut rest = if self.line_feeds && text.contains('\n') {
            fed = text.replace("\r\n", "\n").replace('\n', "\r\n");
            fed.as_str()
        } else {
            text
        };
        while !rest.is_empty() {
            let fits = |end: &usize| rest.is_char_boundary(*end);
            let end = (0..=rest.len().min(MAX_TEXT)).rev().find(fits).unwrap_or(rest.len());
            let (now, later) = rest.split_at(end);
            self.event(at, 'o', now);
            rest = later;
        }
    }

    fn event(&mut self, at: Duration, code: char, data: &str) {
        // Players expect time not to run backwards; a wall clock may.
        self.last = self.last.max(at);
        let mut line = String::with_capacity(data.len() + 32);
        let _ = write!(line, "[{}.{:06},\"{code}\",", self.last.as_secs(), self.last.subsec_micros());
        let _ = writeln!(line, "{}]", Value::from(data));
        self.lines.extend_from_slice(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(events: &Events) -> &str {
        std::str::from_utf8(&events.lines).unwrap()
    }

    #[test]
    fn events_are_one_json_line_each_and_time_never_runs_backwards() {
        let mut events = Events::new(true);
        events.shown(Duration::from_millis(1_500), Source::Output, b"a\"\x1b[2J\n");
        events.resized(Duration::from_millis(900), Size { columns: 100, rows: 30 });
        events.marker(Duration::from_secs(2), "5 minutes\nleft");
        assert_eq!(
            lines(&events),
            "[1.500000,\"o\",\"a\\\"\\u001b[2J\\n\"]\n[1.500000,\"r\",\"100x30\"]\n[2.000000,\"m\",\"5 minutes left\"]\n"
        );
    }

    #[test]
    fn characters_cut_in_two_are_whole_again_even_when_the_streams_mix() {
        let mut events = Events::new(true);
        let at = Duration::ZERO;
        events.shown(at, Source::Output, b"\xe7\x95");
        events.shown(at, Source::Errors, b"!");
        events.shown(at, Source::Output, b"\x8c\xf0\x9f");
        events.finish(at);
        assert_eq!(
            lines(&events),
            "[0.000000,\"o\",\"!\"]\n[0.000000,\"o\",\"界\"]\n[0.000000,\"o\",\"�\"]\n"
        );
    }

    #[test]
    fn without_a_pty_lines_still_begin_at_the_left_edge() {
        let mut events = Events::new(false);
        events.shown(Duration::ZERO, Source::Output, b"a\nb\r\nc");
        assert_eq!(lines(&events), "[0.000000,\"o\",\"a\\r\\nb\\r\\nc\"]\n");
    }

    #[test]
    fn a_flood_becomes_lines_of_bounded_length() {
        let mut events = Events::new(true);
        events.shown(Duration::ZERO, Source::Output, "界\0".repeat(50_000).as_bytes());
        assert!(lines(&events).lines().count() >= 12);
        assert!(lines(&events).lines().all(|line| line.len() < 6 * MAX_TEXT + 64));
    }
}
