//! What goes to the client on one channel.
//!
//! Only the library's window-aware half is used: data sent past a client's window through its `Handle` is kept
//! in the connection, and as long as any channel has such data nothing else of that connection is sent. So a
//! write here waits for the client's window, for the channel's end, and for nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{ChannelId, ChannelWriteHalf, Sig};
use tokio_util::sync::CancellationToken;

/// SSH_EXTENDED_DATA_STDERR (RFC 4254 section 5.2).
const STDERR: u32 = 1;

/// A client that does not even let the last words pass gets none.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(500);

/// The client closed the channel, or the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client is gone")]
pub(crate) struct Gone;

/// How a session ended, as the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// An exit status.
    Status(u32),
    /// A signal, by its name without `SIG`.
    Signal {
        /// `TERM`, `KILL`, …
        name: String,
        /// Why, for people.
        message: String,
    },
}

/// The way out to the client.
#[derive(Debug)]
pub(crate) struct Outflow {
    half: ChannelWriteHalf<Msg>,
    handle: Handle,
    gone: CancellationToken,
    /// The client's terminal is in raw mode: lines need their carriage return.
    raw: bool,
    ended: AtomicBool,
}

impl Outflow {
    pub(super) fn new(
        half: ChannelWriteHalf<Msg>,
        handle: Handle,
        gone: CancellationToken,
        raw: bool,
    ) -> Self {
        Self { half, handle, gone, raw, ended: AtomicBool::new(false) }
    }

    pub(super) fn id(&self) -> ChannelId {
        self.half.id()
    }

    /// Resolves when the client is gone.
    pub(crate) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    pub(crate) async fn stdout(&self, data: Bytes) -> Result<(), Gone> {
        tokio::select! {
            biased;
            () = self.gone.cancelled() => Err(Gone),
            sent = self.half.data_bytes(data) => sent.map_err(|_| Gone),
        }
    }

    pub(crate) async fn stderr(&self, data: Bytes) -> Result<(), Gone> {
        tokio::select! {
            biased;
            () = self.gone.cancelled() => Err(Gone),
            sent = self.half.extended_data_bytes(STDERR, data) => sent.map_err(|_| Gone),
        }
    }

    /// A line of the gateway's own on standard error, if the client takes it in time.
    pub(crate) async fn say(&self, text: &str) {
        let end = if self.raw { "\r\n" } else { "\n" };
        let line = Bytes::from(format!("sallyport: {text}{end}"));
        let _ = tokio::time::timeout(LAST_WORDS, self.stderr(line)).await;
    }

    /// Lines that end with `\n`, as this client's terminal needs them.
    pub(crate) fn lines(&self, text: String) -> Bytes {
        if self.raw { super::pump::with_returns(text.as_bytes()) } else { Bytes::from(text) }
    }

    /// Whether the client has a terminal on this channel.
    pub(crate) const fn raw(&self) -> bool {
        self.raw
    }

    /// The pod's side will send no more; the client may.
    pub(crate) async fn eof(&self) {
        let _ = self.unless_gone(self.half.eof()).await;
    }

    /// Tells how it ended and closes the channel.
    pub(crate) async fn end(&self, ending: Ending) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let id = self.half.id();
        let tell = async {
            match ending {
                Ending::Status(status) => {
                    let _ = self.handle.exit_status_request(id, status).await;
                }
                Ending::Signal { name, message } => {
                    let language = "en".to_owned();
                    let _ =
                        self.handle.exit_signal_request(id, signal(&name), false, message, language).await;
                }
            }
            let _ = self.half.eof().await;
            self.half.close().await
        };
        let _ = self.unless_gone(tell).await;
    }

    /// Closes the channel without a status (tunnels have none).
    pub(crate) async fn close(&self) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            let _ = self.unless_gone(self.half.close()).await;
        }
    }

    async fn unless_gone<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.gone.cancelled() => None,
            done = work => Some(done),
        }
    }
}

/// The library's name for a signal.
fn signal(name: &str) -> Sig {
    match name {
        "ABRT" => Sig::ABRT,
        "ALRM" => Sig::ALRM,
        "FPE" => Sig::FPE,
        "HUP" => Sig::HUP,
        "ILL" => Sig::ILL,
        "INT" => Sig::INT,
        "KILL" => Sig::KILL,
        "PIPE" => Sig::PIPE,
        "QUIT" => Sig::QUIT,
        "SEGV" => Sig::SEGV,
        "TERM" => Sig::TERM,
        "USR1" => Sig::USR1,
        other => Sig::Custom(other.to_owned()),
    }
}
