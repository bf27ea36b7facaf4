//! Where lines come from: a person at a terminal, or a script on standard input.

use bytes::Bytes;
use sallyport_policy::line::{self, LONGEST_LINE};
use unicode_width::UnicodeWidthStr;

use super::complete::Completer;
use super::container::Container;
use super::shell::{Over, Shell, Typed};
use crate::commands::Desk;
use crate::terminal::editor::{Editor, Event, Options};

/// How many lines the editor remembers.
const HISTORY: usize = 500;

/// A person at a terminal, until they leave or `exit`.
pub(super) async fn typed<C: Container, D: Desk>(
    shell: &mut Shell<C, D>,
    name: &str,
    place: &str,
    colour: bool,
) -> Result<(), Over> {
    let size = *shell.sizes.borrow_and_update();
    let capable = !matches!(shell.term.as_str(), "" | "dumb");
    let options = Options { longest: LONGEST_LINE, history: HISTORY, unfinished, capable };
    let mut editor = Editor::new(size, options);
    let mut completer = Completer::default();
    let text = format!("guarded shell in {place}: only commands that the policy lets run; `help` lists them");
    shell.say(text).await?;
    loop {
        if !shell.returns.at_line_start() {
            shell.raw(Bytes::from_static(b"\r\n")).await?;
        }
        if shell.ahead.forgot() {
            shell.say("what was typed ahead was too long, and is forgotten").await?;
        }
        let size = *shell.sizes.borrow_and_update();
        editor.resize(size);
        let directory = shell.state.directory.as_deref().unwrap_or("?");
        let directory = short(directory, usize::from(size.columns / 2).saturating_sub(name.width()));
        let (green, plain) = if colour && capable { ("\x1b[32m", "") } else { ("", "") };
        editor.begin(vec![(name.to_owned(), green), (format!(":{directory}$ "), plain)]);
        match edited(shell, &mut editor, &mut completer).await? {
            Event::Line(text) => shell.line(&text).await?,
            Event::Interrupt => shell.state.end(130),
            Event::EndOfInput => return Err(Over::Exit(shell.state.status)),
            // Answered where the line is edited.
            Event::Complete { .. } => {}
        }
    }
}

/// A directory for the prompt: all of it where there is room, or else as much of its end.
fn short(directory: &str, room: usize) -> String {
    if directory.width() <= room {
        return directory.to_owned();
    }
    let parts =
        || directory.char_indices().filter(|(_, c)| *c == '/').filter_map(|(at, _)| directory.get(at..));
    let end = parts().find(|end| end.width() < room).or_else(|| parts().next_back());
    match end.filter(|end| *end != directory) {
        Some(end) => format!("…{end}"),
        None => directory.to_owned(),
    }
}

fn unfinished(text: &str) -> bool {
    line::parse(text).is_err_and(|error| error.unfinished)
}

/// Edits until something is entered.
async fn edited<C: Container, D: Desk>(
    shell: &mut Shell<C, D>,
    editor: &mut Editor,
    completer: &mut Completer,
) -> Result<Event, Over> {
    loop {
        shell.raw(editor.take_output().into()).await?;
        let bytes = match shell.ahead.take() {
            Some(bytes) => bytes,
            None if shell.ahead.is_over() => {
                editor.give_up();
                shell.raw(editor.take_output().into()).await?;
                return Ok(Event::EndOfInput);
            }
            None => {
                let out = shell.out.clone();
                tokio::select! {
                    next = shell.typed.recv() => match next {
                        Some(Typed::Bytes(bytes)) => bytes,
                        Some(Typed::Eof) => {
                            shell.ahead.end();
                            continue;
                        }
                        None => return Err(Over::Gone),
                    },
                    Ok(()) = shell.sizes.changed() => {
                        editor.resize(*shell.sizes.borrow_and_update());
                        continue;
                    }
                    () = out.closed() => return Err(Over::Gone),
                }
            }
        };
        let (taken, event) = editor.feed(&bytes);
        // What comes behind a line's end is typed ahead.
        shell.ahead.put_back(&bytes.slice(taken.min(bytes.len())..));
        match event {
            None => {}
            Some(Event::Complete { text, cursor }) => {
                shell.raw(editor.take_output().into()).await?;
                let offer = tokio::select! {
                    offer = completer.offers(&shell.container, &shell.commands, &shell.state, &text, cursor) => offer,
                    // Somebody types on: the answer comes too late.
                    typed = shell.typed.recv(), if shell.ahead.is_empty() && !shell.ahead.is_over() => {
                        match typed {
                            Some(Typed::Bytes(bytes)) => shell.ahead.put_back(&bytes),
                            Some(Typed::Eof) => shell.ahead.end(),
                            None => return Err(Over::Gone),
                        }
                        None
                    }
                };
                editor.offer(&offer.unwrap_or_default());
            }
            Some(event) => {
                shell.raw(editor.take_output().into()).await?;
                return Ok(event);
            }
        }
    }
}

/// Lines of a script, one after the other. The first that is refused ends it.
pub(super) async fn script<C: Container, D: Desk>(shell: &mut Shell<C, D>) -> Result<(), Over> {
    let mut lines = Lines::default();
    loop {
        while let Some(text) = lines.next()? {
            shell.line(&text).await?;
        }
        match shell.typed.recv().await {
            Some(Typed::Bytes(bytes)) => lines.push(&bytes),
            Some(Typed::Eof) => break,
            None => return Err(Over::Gone),
        }
    }
    if let Some(text) = lines.rest()? {
        shell.line(&text).await?;
    }
    Ok(())
}

/// Bytes to lines; a line that goes on is joined with the next.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    pending: String,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Result<Option<String>, Over> {
        loop {
            let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else {
                return if self.bytes.len() > LONGEST_LINE { Err(too_long()) } else { Ok(None) };
            };
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            if let Some(whole) = self.take(&line)? {
                return Ok(Some(whole));
            }
        }
    }

    /// What stands after the last line's end.
    fn rest(&mut self) -> Result<Option<String>, Over> {
        let line = std::mem::take(&mut self.bytes);
        let whole = self.take(&line)?;
        Ok(whole.or_else(|| Some(std::mem::take(&mut self.pending)).filter(|text| !text.trim().is_empty())))
    }

    fn take(&mut self, line: &[u8]) -> Result<Option<String>, Over> {
        let Ok(line) = std::str::from_utf8(line) else {
            return Err(Over::Ended("standard input is not UTF-8 text".to_owned(), 2));
        };
        self.pending.push_str(line);
        if self.pending.len() > LONGEST_LINE {
            return Err(too_long());
        }
        if line::parse(self.pending.trim_end_matches('\n')).is_err_and(|error| error.unfinished) {
            return Ok(None);
        }
        let whole = std::mem::take(&mut self.pending);
        Ok(Some(whole.trim_end_matches('\n').to_owned()))
    }
}

fn too_long() -> Over {
    Over::Ended(format!("a line has at most {LONGEST_LINE} bytes"), 2)
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_prompt_shows_the_end_of_a_long_directory() {
        assert_eq!(short("/var/log", 8), "/var/log");
        assert_eq!(short("/srv/a/very/deep/place", 12), "…/deep/place");
        assert_eq!(short("/srv/a/very/deep/place", 3), "…/place");
        assert_eq!(short("/averylongname", 3), "/averylongname");
        assert_eq!((short("/", 0).as_str(), short("?", 0).as_str()), ("/", "?"));
    }
}
