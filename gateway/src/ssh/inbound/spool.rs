//! The file behind a channel's queue. It has no name, its blocks are sealed with AES-256-GCM under a key made for
//! this file and kept in memory only, and places that were read are used again. What was in it is unreadable
//! once the channel is gone.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::Bytes;

use super::{Budget, InboundError, Shared};

/// Bytes of one block before sealing.
pub(super) const SLOT: usize = 256 * 1024;

/// Bytes that a block takes in the file.
const SEALED: usize = SLOT + 16;

/// How long to wait for other channels to give disk back before asking again.
const NO_DISK: Duration = Duration::from_millis(100);

/// Where a block is.
#[derive(Debug, Clone)]
pub(super) struct Block {
    slot: u64,
    nonce: u64,
    len: usize,
}

impl Block {
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

/// A file of blocks.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    key: LessSafeKey,
    places: Mutex<Places>,
    budget: Arc<Budget>,
}

#[derive(Debug, Default)]
struct Places {
    free: Vec<u64>,
    made: u64,
    nonces: u64,
}

impl Spool {
    fn create(directory: &Path, budget: Arc<Budget>) -> io::Result<Self> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| io::Error::other("no key"))?;
        let file = tempfile::tempfile_in(directory)?;
        Ok(Self { file, key: LessSafeKey::new(key), places: Mutex::default(), budget })
    }

    /// Seals and writes. `None` when all channels together have used up the disk's share.
    fn write(&self, mut data: Vec<u8>) -> io::Result<Result<Block, Vec<u8>>> {
        let Some((slot, nonce)) = self.place() else { return Ok(Err(data)) };
        let block = Block { slot, nonce, len: data.len() };
        let seal = |_| io::Error::other("a block cannot be sealed");
        self.key.seal_in_place_append_tag(nonce_of(nonce), Aad::empty(), &mut data).map_err(seal)?;
        self.file.write_all_at(&data, offset(slot))?;
        Ok(Ok(block))
    }

    /// Reads and opens.
    pub(super) async fn read(self: &Arc<Self>, block: &Block) -> io::Result<Bytes> {
        let (spool, block) = (Arc::clone(self), block.clone());
        tokio::task::spawn_blocking(move || {
            let mut data = vec![0; block.len + AES_256_GCM.tag_len()];
            spool.file.read_exact_at(&mut data, offset(block.slot))?;
            let changed = |_| io::Error::other("a block is not what was written");
            let plain =
                spool.key.open_in_place(nonce_of(block.nonce), Aad::empty(), &mut data).map_err(changed)?;
            let len = plain.len();
            data.truncate(len);
            Ok(Bytes::from(data))
        })
        .await
        .map_err(io::Error::other)?
    }

    /// A block was read for good: its place may be used again.
    pub(super) fn free(&self, block: &Block) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).free.push(block.slot);
    }

    /// A free place and a nonce that was never used with this key.
    fn place(&self) -> Option<(u64, u64)> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match places.free.pop() {
            Some(slot) => slot,
            None if self.budget.disk.try_add(SEALED as u64) => {
                places.made += 1;
                places.made - 1
            }
            None => return None,
        };
        places.nonces += 1;
        Some((slot, places.nonces))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let made = self.places.lock().unwrap_or_else(PoisonError::into_inner).made;
        self.budget.disk.sub(made * SEALED as u64);
    }
}

fn nonce_of(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    for (to, from) in nonce.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    Nonce::assume_unique_for_key(nonce)
}

const fn offset(slot: u64) -> u64 {
    slot * SEALED as u64
}

/// Moves the oldest bytes of a channel from memory to its file, as long as there are too many of them.
pub(super) async fn run(shared: Arc<Shared>) {
    while let Some(block) = super::next_block(&shared) {
        let len = block.len() as u64;
        let (budget, known) = (Arc::clone(&shared.budget), shared.lock().file());
        let written = tokio::task::spawn_blocking(move || {
            let spool = match known {
                Some(spool) => spool,
                None => Arc::new(Spool::create(&budget.directory, Arc::clone(&budget))?),
            };
            let result = spool.write(block)?;
            Ok::<_, io::Error>((spool, result))
        })
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
        match written {
            Ok((spool, Ok(block))) => {
                let mut state = shared.lock();
                state.spooled(&spool, block);
                drop(state);
                shared.budget.memory.sub(len);
            }
            Ok((_, Err(block))) => {
                if !shared.lock().put_back(&block) {
                    shared.budget.memory.sub(len);
                }
                let _ = tokio::time::timeout(NO_DISK, shared.spool.notified()).await;
            }
            Err(error) => {
                tracing::error!(%error, "input that a pod does not read cannot be spooled");
                shared.lock().abandon(InboundError::Spool(error.to_string()));
                shared.lock().stop_spooler();
                shared.filled.notify_one();
                return;
            }
        }
        shared.filled.notify_one();
        shared.drained.notify_one();
    }
}

#[cfg(test)]
impl Spool {
    pub(super) fn raw(&self) -> Vec<u8> {
        let len = usize::try_from(self.file.metadata().unwrap().len()).unwrap();
        let mut data = vec![0; len];
        self.file.read_exact_at(&mut data, 0).unwrap();
        data
    }

    pub(super) fn spoil(&self) {
        self.file.write_all_at(b"x", 1000).unwrap();
    }
}
