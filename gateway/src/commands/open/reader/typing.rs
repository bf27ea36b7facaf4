//! What each key does to what is known of the line.

use std::time::Duration;

use super::super::keys::Key;
use super::super::prompts::{CONTINUED, Whose};
use super::{AFTER_INTERRUPT, Held, Noticed, Place, Reader, search_line};

impl Reader {
    pub(super) fn key(&mut self, key: Key, (byte, within): (u8, bool), out: &mut Vec<u8>, now: Duration) {
        if self.place.whose.is_none() {
            self.begin();
        }
        if key != Key::Enter {
            // The shell gets no line's end before it is judged, and answers none.
            self.last_key = now;
        }
        match key {
            Key::Enter if self.in_paste && byte != 0x0f => {
                self.typed.push('\n');
                out.push(byte);
            }
            Key::Enter => {
                // Ctrl-O is a shell's only where a shell reads.
                let perhaps = !self.shell_reads();
                if !perhaps || self.may_be_the_shells() {
                    self.held = Some(Held { byte, within, since: now, perhaps, judged: None });
                } else {
                    out.push(byte);
                    self.programs_line();
                }
            }
            Key::End => {
                // In a terminal's own line discipline it ends a line like Enter does.
                if self.typed.any() && !self.picture.bracketed() && self.shell_reads() && self.at_end() {
                    self.held = Some(Held { byte, within, since: now, perhaps: false, judged: None });
                } else {
                    out.push(byte);
                    self.program_reads = false;
                    if self.typed.any() { self.typed.edited() } else { self.new_line() }
                }
            }
            Key::Interrupt => {
                out.push(byte);
                self.given_up(now, self.lag.patience(AFTER_INTERRUPT));
            }
            Key::PasteBegins | Key::PasteEnds if !self.picture.bracketed() => {
                // Nobody asked for brackets; a program would take them for keys.
                out.push(byte);
                let kept = out.len().saturating_sub(6);
                out.truncate(kept);
                self.in_paste = false;
            }
            Key::PasteBegins | Key::PasteEnds => {
                out.push(byte);
                self.in_paste = key == Key::PasteBegins;
            }
            Key::Editor => {
                out.push(byte);
                if self.shell_reads() {
                    self.notice(Noticed::Editor);
                }
                self.typed.edited();
            }
            Key::Text(c) => {
                out.push(byte);
                self.typed.push(c);
            }
            Key::Erase => {
                out.push(byte);
                self.typed.erase();
            }
            Key::Kill => {
                out.push(byte);
                self.typed.kill();
            }
            Key::Nothing => out.push(byte),
            Key::Other => {
                out.push(byte);
                if self.in_paste && byte == b'\t' { self.typed.push(' ') } else { self.typed.edited() }
            }
        }
    }

    /// The first key of a line: what stands left of the cursor is the prompt.
    fn begin(&mut self) {
        self.picture.settle();
        self.look_back();
        if let Some(mark) = self.picture.take_mark() {
            self.prompts.mark(&mark);
        }
        self.full |= self.picture.alternate();
        let row = self.picture.row();
        let left = row.left().to_owned();
        if self.prompts.recognises(&left, self.last.as_deref())
            || self.prompts.begins(&left).is_some()
            || self.full
        {
            self.wiped = None;
        } else if let Some(wiped) = &self.wiped {
            // It may still stand in the shell's editor, in front of what comes now.
            self.before = format!("{wiped}\n");
            self.typed.edited();
            self.place = Place { whose: Some(Whose::Shell(0)), prompt: String::new(), continued: true };
            return;
        }
        let surely = self.unfinished && self.prompts.begins(&left).is_none();
        let likely = left == CONTINUED && self.picture.ends() <= 1;
        let (whose, continued) = if self.picture.alternate() {
            (Whose::Program, false)
        } else if !self.before.is_empty() && (surely || likely) {
            // A here-document's lines are a program's input.
            if self.before.contains("<<") { (Whose::Program, true) } else { (Whose::Shell(left.len()), true) }
        } else {
            (self.prompts.learn(&left, self.last.as_deref()), false)
        };
        if !continued {
            self.before.clear();
            self.unfinished = false;
        }
        let prompt = match &whose {
            Whose::Shell(length) => left.get(..*length).unwrap_or(&left).to_owned(),
            Whose::Program => left,
        };
        if matches!(whose, Whose::Shell(_)) {
            self.programs.shell_again();
            self.rewatch();
            if row.text.len() > prompt.len() {
                // Something stands there already that we did not see typed.
                self.typed.edited();
            }
        }
        self.place = Place { whose: Some(whose), prompt, continued };
    }

    /// Whether a prompt may yet come in before a line that seems to be a program's: it is the first since the shell's
    /// last one, and nothing shows that a program takes it, as `Password: ` does.
    fn may_be_the_shells(&self) -> bool {
        let asks = self.place.prompt.trim_end().ends_with([':', '?', '>', ']', ')']);
        !self.program_reads && !asks && self.typed.any() && !self.place.continued && !self.picture.alternate()
    }

    /// A line goes to a program.
    pub(super) fn programs_line(&mut self) {
        self.programs.entered(&self.typed, &self.place.prompt, self.picture.alternate());
        self.program_reads = true;
        self.rewatch();
        self.new_line();
    }

    /// A line that seemed to be a program's stands behind the shell's prompt, which came late.
    pub(super) fn shells_after_all(&mut self) {
        let row = self.picture.row();
        let prompt = self.prompts.begins(&row.text).and_then(|length| row.text.get(..length));
        if let Some(prompt) = prompt {
            self.place = Place {
                whose: Some(Whose::Shell(prompt.len())),
                prompt: prompt.to_owned(),
                continued: false,
            };
        }
        self.programs.shell_again();
        self.rewatch();
    }

    /// Whether a shell reads what is typed now.
    pub(super) fn shell_reads(&mut self) -> bool {
        self.picture.settle();
        let row = self.picture.row();
        if self.picture.alternate() {
            return self.in_alternate(&row).is_some();
        }
        matches!(self.place.whose, Some(Whose::Shell(_)))
            || !self.place.continued
                && (self.prompts.begins(&row.text).is_some()
                    || search_line(&row.text).is_some()
                    || self.ran_into(&row).is_some())
    }

    fn at_end(&self) -> bool {
        let row = self.picture.row();
        row.cursor >= row.text.trim_end().len()
    }
}
