//! What a client sends into one channel, on its way to the pod.
//!
//! The SSH library gives a client new room as soon as its bytes *arrive*, and calls the handler inside the
//! connection's only loop. A handler that waited for a slow pod would stop every session of that connection;
//! one that does not wait must put the bytes somewhere. Here they go into memory up to [`Bounds::memory`], then
//! into an unlinked file, encrypted under a key that exists in memory only (`spool`). Past [`Bounds::soft`] the
//! loop is held back in short slices, so that TCP slows the client; past [`Bounds::hard`] the channel ends.
//! See docs/decisions/0040.
//!
//! The guarantee: a push never waits and never loses a byte of an open channel, order is kept, and memory is
//! bounded per channel and for the gateway. Not guaranteed: that a pod which never reads leaves the other
//! sessions of the *same connection* at full speed once the file's share is used up.

mod spool;
mod state;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use spool::{SLOT, Spool};
use state::{Piece, State};

/// What a client may have under way on a channel, in bytes.
pub(super) const WINDOW: u32 = 2 << 20;

/// How much one channel may hold, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Kept in memory before the file is used.
    pub(super) memory: usize,
    /// From here on the client is slowed.
    pub(super) soft: u64,
    /// From here on the channel is ended.
    pub(super) hard: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { memory: 4 << 20, soft: 256 << 20, hard: 1 << 30 }
    }
}

/// What all channels of the gateway share.
#[derive(Debug)]
pub(super) struct Budget {
    directory: PathBuf,
    memory: Share,
    disk: Share,
}

impl Budget {
    /// `memory` and `disk` in bytes; spool files are made in `directory` and unlinked at once.
    pub(super) fn new(directory: PathBuf, memory: u64, disk: u64) -> Arc<Self> {
        Arc::new(Self { directory, memory: Share::new(memory), disk: Share::new(disk) })
    }
}

/// A number that has a ceiling.
#[derive(Debug)]
struct Share {
    used: AtomicU64,
    most: u64,
}

impl Share {
    const fn new(most: u64) -> Self {
        Self { used: AtomicU64::new(0), most }
    }

    fn add(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    fn try_add(&self, bytes: u64) -> bool {
        let most = self.most;
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn sub(&self, bytes: u64) {
        let _ = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_sub(bytes)));
    }

    fn exhausted(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.most
    }
}

/// What the loop is to do after a push.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pressure {
    /// Go on.
    Easy,
    /// Wait in [`Inbox::room`] for a [`slice`], then go on. How full it is, from 0 (soft bound) to 1 (hard bound).
    Slow(f32),
    /// The bytes were not taken: end the channel.
    Over,
}

/// Why no more comes out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InboundError {
    /// The channel or the connection ended.
    #[error("the client is gone")]
    Gone,
    /// The spool file failed; what was in it is lost.
    #[error("the gateway cannot keep input that the pod does not read: {0}")]
    Spool(String),
}

/// The side that the connection's loop fills.
#[derive(Debug)]
pub(super) struct Inbox {
    shared: Arc<Shared>,
}

/// The side that the session drains.
#[derive(Debug)]
pub(crate) struct Inflow {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    bounds: Bounds,
    budget: Arc<Budget>,
    /// Something came, or will come no more.
    filled: Notify,
    /// Something was taken out.
    drained: Notify,
    /// The spooler has work, or none any more.
    spool: Notify,
}

/// One channel's way in.
pub(super) fn channel(bounds: Bounds, budget: &Arc<Budget>) -> (Inbox, Inflow) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        bounds,
        budget: Arc::clone(budget),
        filled: Notify::new(),
        drained: Notify::new(),
        spool: Notify::new(),
    });
    (Inbox { shared: Arc::clone(&shared) }, Inflow { shared })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pressure(&self, state: &State) -> Pressure {
        let bounds = self.bounds;
        // The spooler needs a moment to catch up, so memory has its own ceilings above `memory`.
        let tight = self.budget.memory.exhausted();
        let (slow, over) =
            if tight { (bounds.memory / 4, bounds.memory) } else { (bounds.memory * 2, bounds.memory * 4) };
        let memory = fullness(state.memory_bytes() as u64, slow as u64, over as u64);
        let full = memory.max(fullness(state.bytes(), bounds.soft, bounds.hard));
        if full >= 1.0 {
            Pressure::Over
        } else if full > 0.0 {
            Pressure::Slow(full)
        } else {
            Pressure::Easy
        }
    }
}

/// 0 up to `soft`, 1 from `hard` on.
fn fullness(bytes: u64, soft: u64, hard: u64) -> f32 {
    bytes.saturating_sub(soft) as f32 / hard.saturating_sub(soft).max(1) as f32
}

/// The slowest that a client is made where other sessions share its connection, in bytes a second: whatever it has
/// under way on this channel (at most a window, [`WINDOW`]) is in front of everything that it sends on others, so no
/// keystroke there waits longer than half a second.
const SHARED_PACE: f32 = WINDOW as f32 * 2.0;

/// The slowest that a client is made which has this channel only. It may want another one at any time, and that
/// request, too, comes behind a window of this channel: four seconds at worst.
const LONE_PACE: f32 = WINDOW as f32 / 4.0;

/// How long the loop may be held back after `bytes` of a channel that is `full` between the soft (0) and the hard (1)
/// bound. Hardly at all at first, since the loop also carries the output that a filter must get rid of before it
/// reads on.
pub(super) fn slice(bytes: usize, full: f32, alone: bool) -> Duration {
    let pace = if alone { LONE_PACE } else { SHARED_PACE };
    Duration::from_secs_f32((full * full * bytes as f32 / pace).min(1.0))
}

impl Inbox {
    /// Takes what arrived. Never waits.
    pub(super) fn push(&self, data: &[u8]) -> Pressure {
        let shared = &self.shared;
        let mut state = shared.lock();
        if state.is_closed() {
            // Nobody reads any more; the channel's end is on its way to the client.
            return Pressure::Easy;
        }
        if shared.pressure(&state) == Pressure::Over {
            return Pressure::Over;
        }
        state.push(data);
        shared.budget.memory.add(data.len() as u64);
        // These bytes were taken; only the next ones may find that it is over.
        let pressure = match shared.pressure(&state) {
            Pressure::Over => Pressure::Slow(1.0),
            other => other,
        };
        let over_memory = state.memory_bytes() > shared.bounds.memory;
        let start = over_memory && state.start_spooler();
        drop(state);
        shared.filled.notify_one();
        if start {
            tokio::spawn(spool::run(Arc::clone(shared)));
        } else if over_memory {
            shared.spool.notify_one();
        }
        pressure
    }

    /// Waits until the pressure is gone, at most `slice`.
    pub(super) async fn room(&self, slice: Duration) {
        let wait = async {
            loop {
                let drained = self.shared.drained.notified();
                if self.shared.pressure(&self.shared.lock()) == Pressure::Easy {
                    return;
                }
                drained.await;
            }
        };
        let _ = tokio::time::timeout(slice, wait).await;
    }

    /// The client will send no more; what is here still comes out.
    pub(super) fn finish(&self) {
        self.shared.lock().finish();
        self.shared.filled.notify_one();
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.shared.lock().abandon(InboundError::Gone);
        self.shared.filled.notify_one();
    }
}

impl Inflow {
    /// The next bytes, in order; `None` after the client's end of file. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, InboundError> {
        loop {
            let filled = self.shared.filled.notified();
            let piece = self.shared.lock().peek();
            match piece {
                Piece::Memory => {
                    let taken = self.shared.lock().take_memory();
                    if let Some(bytes) = taken {
                        self.shared.budget.memory.sub(bytes.len() as u64);
                        self.shared.drained.notify_one();
                        return Ok(Some(bytes));
                    }
                }
                Piece::Spooled(spool, block) => match spool.read(&block).await {
                    Ok(bytes) => {
                        self.shared.lock().drop_spooled();
                        spool.free(&block);
                        self.shared.drained.notify_one();
                        return Ok(Some(bytes));
                    }
                    Err(error) => self.shared.lock().abandon(InboundError::Spool(error.to_string())),
                },
                Piece::Wait => filled.await,
                Piece::End => return Ok(None),
                Piece::Failed(error) => return Err(error),
            }
        }
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        let freed = self.shared.lock().close();
        self.shared.budget.memory.sub(freed as u64);
        self.shared.drained.notify_one();
        self.shared.spool.notify_one();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let memory = self.lock().memory_bytes() as u64;
        self.budget.memory.sub(memory);
    }
}

/// For the spooler: the oldest bytes that are still in memory, when there are more of them than there should be.
fn next_block(shared: &Shared) -> Option<Vec<u8>> {
    let mut state = shared.lock();
    if state.memory_bytes() <= shared.bounds.memory / 2 || state.is_closed() {
        state.stop_spooler();
        return None;
    }
    let block = state.take_block(SLOT);
    Some(block)
}

type SharedSpool = Arc<Spool>;
