//! The last words of a session.

use bytes::Bytes;

use super::outflow::{Ending, Outflow};
use super::pump::Why;
use crate::record::{Outcome, RecordError};

/// The session was cut by its grant's end or revocation.
const CUT: u8 = 78;
/// What a shell says of a command that Ctrl-C ended: 128 and SIGINT.
const INTERRUPTED: u8 = 130;
/// What the gateway cannot do, for now.
const UNAVAILABLE: u8 = 69;

/// Brings a terminal back to where a shell can go on: whatever sequence was under way is abandoned (CAN), the program's
/// modes are taken back (mouse, focus and paste reports, synchronised output, keypad, cursor keys, origin, insert,
/// wrap, scroll region, character set, colours, extended keys), the alternate screen is left and the cursor shown.
const SANE: &[u8] =
    b"\x18\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[<u\
\x1b[?1l\x1b>\x1b[?1049l\x1b7\x1b[?6l\x1b[4l\x1b[?7h\x1b[r\x1b8\x1b(B\x0f\x1b[0m\x1b[?25h\r\n";

/// How a session ends: what the books say of it, and what is left to be sent.
#[derive(Debug)]
pub(super) struct Parting {
    pub(super) outcome: Outcome,
    /// The status that is sent, if one is.
    pub(super) exit: Option<u8>,
    /// Why, in words.
    pub(super) said: Option<String>,
    ending: Option<Ending>,
}

impl Parting {
    fn status(outcome: Outcome, status: u8, said: Option<String>) -> Self {
        Self { outcome, exit: Some(status), said, ending: Some(Ending::Status(status.into())) }
    }

    /// Ends the channel. It comes after the books are closed, so that whoever sees a session ended finds it on record; a
    /// recording that could not be finished is then what the client is told.
    pub(super) async fn end(self, output: &Outflow, recorded: Result<(), RecordError>) {
        match (self.ending, recorded) {
            (None, _) => {}
            (Some(_), Err(error)) if self.exit != Some(error.exit_status()) => {
                output.say(&error.to_string()).await;
                output.end(Ending::Status(error.exit_status().into())).await;
            }
            (Some(ending), _) => output.end(ending).await,
        }
    }
}

/// Tells the client in words how it ended, where words are needed.
pub(super) async fn tell(output: &Outflow, why: &Why) -> Parting {
    match why {
        Why::Exit(exit) => {
            let said = exit.message().map(str::to_owned);
            if let Some(text) = &said {
                output.say(text).await;
            }
            let failed = matches!(exit, crate::bridge::Exit::Unknown { .. });
            Parting::status(if failed { Outcome::Failed } else { Outcome::Ended }, exit.status(), said)
        }
        Why::Signal(name) => {
            let message = format!("hung up by signal {name} from the client");
            let ending = Some(Ending::Signal { name: name.clone(), message: message.clone() });
            Parting { outcome: Outcome::Ended, exit: None, said: Some(message), ending }
        }
        Why::Interrupt => Parting::status(Outcome::Ended, INTERRUPTED, None),
        Why::Left => {
            let said = Some("the client went away".to_owned());
            Parting { outcome: Outcome::Left, exit: None, said, ending: None }
        }
        Why::Cut(end) => last(output, Outcome::Cut, CUT, format!("cut: {end}")).await,
        Why::Stopping => {
            let text = "the gateway is stopping; connect again in a moment".to_owned();
            last(output, Outcome::Interrupted, UNAVAILABLE, text).await
        }
        Why::Record(error) => last(output, Outcome::Failed, error.exit_status(), error.to_string()).await,
        Why::Overfull => {
            let text = "ended: the pod does not read its input, and more of it came than the gateway keeps"
                .to_owned();
            last(output, Outcome::Failed, UNAVAILABLE, text).await
        }
        Why::Spool(error) => {
            last(output, Outcome::Failed, UNAVAILABLE, format!("ended: input could not be kept: {error}"))
                .await
        }
    }
}

async fn last(output: &Outflow, outcome: Outcome, status: u8, text: String) -> Parting {
    if output.raw() {
        let _ =
            tokio::time::timeout(super::outflow::LAST_WORDS, output.stdout(Bytes::from_static(SANE))).await;
    }
    output.say(&crate::terminal::clean(&text)).await;
    Parting::status(outcome, status, Some(text))
}
