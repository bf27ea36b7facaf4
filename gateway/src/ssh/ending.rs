//! The last words of a session.

use bytes::Bytes;

use super::outflow::{Ending, Outflow};
use super::pump::Why;
use crate::record::Outcome;

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

/// Tells the client how it ended. What the books say: the outcome, the status that was sent, and why in words.
pub(super) async fn tell(output: &Outflow, why: &Why) -> (Outcome, Option<u8>, Option<String>) {
    match why {
        Why::Exit(exit) => {
            let said = exit.message().map(str::to_owned);
            if let Some(text) = &said {
                output.say(text).await;
            }
            output.end(Ending::Status(exit.status().into())).await;
            let failed = matches!(exit, crate::bridge::Exit::Unknown { .. });
            (if failed { Outcome::Failed } else { Outcome::Ended }, Some(exit.status()), said)
        }
        Why::Signal(name) => {
            let message = format!("hung up by signal {name} from the client");
            output.end(Ending::Signal { name: name.clone(), message: message.clone() }).await;
            (Outcome::Ended, None, Some(message))
        }
        Why::Interrupt => {
            output.end(Ending::Status(INTERRUPTED.into())).await;
            (Outcome::Ended, Some(INTERRUPTED), None)
        }
        Why::Left => (Outcome::Left, None, Some("the client went away".to_owned())),
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

async fn last(
    output: &Outflow,
    outcome: Outcome,
    status: u8,
    text: String,
) -> (Outcome, Option<u8>, Option<String>) {
    if output.raw() {
        let _ =
            tokio::time::timeout(super::outflow::LAST_WORDS, output.stdout(Bytes::from_static(SANE))).await;
    }
    output.say(&crate::terminal::clean(&text)).await;
    output.end(Ending::Status(status.into())).await;
    (outcome, Some(status), Some(text))
}
