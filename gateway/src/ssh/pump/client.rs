//! What a client sends beside bytes: sizes and signals.

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::screen::Say;
use super::{PodInput, Why};
use crate::record::Recording;
use crate::ssh::channel::Control;

/// Passes sizes and signals on. Ends only when that is a reason to end the session.
pub(super) async fn control<I: PodInput>(
    control: &mut Control,
    input: &I,
    recording: &Recording,
    terminal: bool,
    say: &mpsc::Sender<Say>,
) -> Why {
    // The size at the beginning went with the request.
    control.sizes.mark_unchanged();
    loop {
        tokio::select! {
            Ok(()) = control.sizes.changed(), if terminal => {
                let size = *control.sizes.borrow_and_update();
                let _ = input.resize(size).await;
                if let Err(error) = recording.resize(size).await {
                    return Why::Record(error);
                }
                let _ = say.send(Say::resized(size)).await;
            }
            Some(name) = control.signals.recv() => {
                if let Some(why) = signal(&name, input, terminal, say).await {
                    return why;
                }
            }
            else => return std::future::pending().await,
        }
    }
}

/// On a terminal, signals are characters or its hanging up; without one, Kubernetes has no way to pass them.
async fn signal<I: PodInput>(name: &str, input: &I, terminal: bool, say: &mpsc::Sender<Say>) -> Option<Why> {
    let character: &'static [u8] = match name {
        _ if input.ends_by_interrupt() => return Some(Why::Interrupt),
        "INT" => b"\x03",
        "QUIT" => b"\x1c",
        "TSTP" => b"\x1a",
        "HUP" | "TERM" | "KILL" if terminal => return Some(Why::Signal(name.to_owned())),
        _ => b"",
    };
    if terminal && !character.is_empty() {
        let _ = input.write(Bytes::from_static(character)).await;
    } else {
        let text = format!(
            "signal {name} cannot be passed to the pod: Kubernetes knows none without a terminal (`ssh -t`)"
        );
        let _ = say.send(Say::aside(&text)).await;
    }
    None
}

/// A carriage return before every line feed that has none: what a terminal in raw mode needs.
pub(in crate::ssh) fn with_returns(bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(bytes.len() + bytes.len() / 16);
    let mut before = 0;
    for &byte in bytes {
        if byte == b'\n' && before != b'\r' {
            out.extend_from_slice(b"\r");
        }
        out.extend_from_slice(&[byte]);
        before = byte;
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_gets_its_carriage_return_once() {
        assert_eq!(with_returns(b"one\ntwo\r\n\nend"), "one\r\ntwo\r\n\r\nend");
    }
}
