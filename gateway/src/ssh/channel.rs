//! One channel of a connection: what the client has set up so far, and what a session or a tunnel gets to work with.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::server::{ChannelOpenHandle, Handle, Msg};
use russh::{ChannelId, ChannelOpenFailure, ChannelWriteHalf, Sig};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::inbound::{Inbox, Inflow};
use super::outflow::Outflow;
use crate::terminal::Size;

/// Signals that were not delivered yet; a client that sends more is not heard.
const SIGNALS: usize = 8;

/// Environment variables that a client may set, and how many bytes each may have.
const MAX_ENV: usize = 16;
const MAX_ENV_BYTES: usize = 256;

/// The client's terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// `TERM`.
    pub(crate) name: String,
    /// Its size when it was asked for.
    pub(crate) size: Size,
}

/// What a session channel was asked to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// `ssh gw`
    Shell,
    /// `ssh gw WORDS`, one string as the client sent it.
    Command(String),
    /// `ssh -s gw NAME`, `sftp`
    Subsystem(String),
}

/// A session channel that was asked to run something.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Arc<Connection>,
    pub(crate) ask: Ask,
    pub(crate) terminal: Option<Terminal>,
    /// Only names on the allow list (see `docs`), values as sent.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) input: Inflow,
    pub(crate) control: Control,
    pub(crate) output: Arc<Outflow>,
}

/// What comes from the client beside bytes.
#[derive(Debug)]
pub(crate) struct Control {
    /// The terminal's size; only the newest counts.
    pub(crate) sizes: watch::Receiver<Size>,
    /// Names without `SIG`.
    pub(crate) signals: mpsc::Receiver<String>,
    /// The channel took in more than it may hold.
    pub(crate) overfull: CancellationToken,
}

/// A `direct-tcpip` channel that waits for an answer.
#[derive(Debug)]
pub(crate) struct TunnelAsk {
    pub(crate) connection: Arc<Connection>,
    pub(crate) host: String,
    pub(crate) port: u32,
    pub(crate) reply: Reply,
    pub(crate) input: Inflow,
    pub(crate) output: Arc<Outflow>,
    pub(crate) overfull: CancellationToken,
}

/// Answers a `direct-tcpip` request; dropped, it refuses.
pub(crate) struct Reply(ChannelOpenHandle);

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

impl Reply {
    pub(super) const fn new(handle: ChannelOpenHandle) -> Self {
        Self(handle)
    }

    pub(crate) async fn accept(self) {
        self.0.accept().await;
    }

    /// Not allowed: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED with a text that OpenSSH shows.
    pub(crate) async fn prohibit(self, why: &str) {
        self.0.reject(because(1, why)).await;
    }

    /// Allowed, and nobody answers there: SSH_OPEN_CONNECT_FAILED.
    pub(crate) async fn unreachable(self, why: &str) {
        self.0.reject(because(2, why)).await;
    }

    /// No room: SSH_OPEN_RESOURCE_SHORTAGE.
    pub(crate) async fn no_room(self, why: &str) {
        self.0.reject(because(4, why)).await;
    }
}

/// A reason that OpenSSH shows as it is: it prints anything but ASCII as octal numbers.
fn because(code: u32, why: &str) -> ChannelOpenFailure {
    let ascii = |c: char| match c {
        ' '..='~' => c,
        _ => '?',
    };
    ChannelOpenFailure::Other { code, reason: why.replace('…', "...").chars().map(ascii).collect() }
}

/// What the handler keeps of a channel.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) inbox: Arc<Inbox>,
    pub(super) gone: CancellationToken,
    pub(super) overfull: CancellationToken,
    sizes: watch::Sender<Size>,
    signals: mpsc::Sender<String>,
    waiting: Option<Waiting>,
}

/// A session channel before it was asked to run something.
#[derive(Debug)]
pub(super) struct Waiting {
    half: ChannelWriteHalf<Msg>,
    input: Inflow,
    sizes: watch::Receiver<Size>,
    signals: mpsc::Receiver<String>,
    terminal: Option<Terminal>,
    env: BTreeMap<String, String>,
}

impl Entry {
    pub(super) fn session(
        half: ChannelWriteHalf<Msg>,
        inbox: Inbox,
        input: Inflow,
        gone: CancellationToken,
    ) -> Self {
        let (sizes, newest) = watch::channel(Size::bounded(0, 0));
        let (signals, heard) = mpsc::channel(SIGNALS);
        let waiting =
            Waiting { half, input, sizes: newest, signals: heard, terminal: None, env: BTreeMap::new() };
        let overfull = CancellationToken::new();
        Self { inbox: Arc::new(inbox), gone, overfull, sizes, signals, waiting: Some(waiting) }
    }

    pub(super) fn tunnel(inbox: Inbox, gone: CancellationToken) -> Self {
        let (sizes, _) = watch::channel(Size::bounded(0, 0));
        let (signals, _) = mpsc::channel(1);
        let overfull = CancellationToken::new();
        Self { inbox: Arc::new(inbox), gone, overfull, sizes, signals, waiting: None }
    }

    /// `pty-req`. False when it comes too late.
    pub(super) fn terminal(&mut self, name: &str, size: Size) -> bool {
        let Some(waiting) = &mut self.waiting else { return false };
        waiting.terminal = Some(Terminal { name: terminal_name(name), size });
        self.sizes.send_replace(size);
        true
    }

    /// `env`. False when the variable is none of those that are of use here.
    pub(super) fn env(&mut self, name: &str, value: &str) -> bool {
        let Some(waiting) = &mut self.waiting else { return false };
        let known = matches!(name, "LANG" | "LANGUAGE" | "TERM" | "COLORTERM" | "NO_COLOR" | "TZ")
            || (name.starts_with("LC_") && name.len() <= 32);
        let fits = value.len() <= MAX_ENV_BYTES && waiting.env.len() < MAX_ENV;
        let plain =
            name.chars().all(|c| c.is_ascii_uppercase() || c == '_') && !value.chars().any(char::is_control);
        if known && fits && plain {
            waiting.env.insert(name.to_owned(), value.to_owned());
        }
        known && fits && plain
    }

    pub(super) fn resize(&self, size: Size) {
        self.sizes.send_replace(size);
    }

    pub(super) fn signal(&self, signal: &Sig) {
        let _ = self.signals.try_send(signal_name(signal));
    }

    /// `shell`, `exec` or `subsystem`, which a channel can be asked once.
    pub(super) fn begin(&mut self, connection: Arc<Connection>, ask: Ask, handle: Handle) -> Option<Session> {
        let waiting = self.waiting.take()?;
        let raw = waiting.terminal.is_some();
        Some(Session {
            connection,
            ask,
            terminal: waiting.terminal,
            env: waiting.env,
            input: waiting.input,
            control: Control {
                sizes: waiting.sizes,
                signals: waiting.signals,
                overfull: self.overfull.clone(),
            },
            output: Arc::new(Outflow::new(waiting.half, handle, self.gone.clone(), raw)),
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

/// All channels of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Channels {
    entries: Arc<Mutex<HashMap<ChannelId, Entry>>>,
}

impl Channels {
    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn insert(&self, id: ChannelId, entry: Entry) {
        self.lock().insert(id, entry);
    }

    /// Forgets a channel, which ends whatever still works on it.
    pub(super) fn remove(&self, id: ChannelId) {
        let entry = self.lock().remove(&id);
        drop(entry);
    }

    /// Waits until every channel is done, at most `patience`.
    pub(super) async fn wait_empty(&self, patience: Duration) {
        let empty = async {
            while self.len() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(patience, empty).await;
    }

    pub(super) fn clear(&self) {
        let entries = std::mem::take(&mut *self.lock());
        drop(entries);
    }

    pub(super) fn with<T>(&self, id: ChannelId, f: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.lock().get_mut(&id).map(f)
    }

    /// The queue of a channel, and whether it is the connection's only one.
    pub(super) fn inbox(&self, id: ChannelId) -> Option<(Arc<Inbox>, bool)> {
        let entries = self.lock();
        entries.get(&id).map(|entry| (Arc::clone(&entry.inbox), entries.len() == 1))
    }
}

/// Terminal names are short words; anything else would reach the pod's environment.
fn terminal_name(name: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    if !name.is_empty() && name.len() <= 64 && name.chars().all(word) {
        name.to_owned()
    } else {
        "xterm".to_owned()
    }
}

/// A signal's name without `SIG`, as RFC 4254 section 6.9 has it; unknown ones by at most 32 plain letters.
fn signal_name(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.chars().filter(char::is_ascii_alphanumeric).take(32).collect(),
        known => format!("{known:?}"),
    }
}
