//! The order of things in one channel's queue: first what the file holds, then the block being written to it,
//! then memory.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::InboundError;
use super::SharedSpool;
use super::spool::Block;

/// Small writes share a piece, so that a client sending single bytes costs bytes, not allocations.
const PIECE: usize = 32 * 1024;

/// What comes out next.
pub(super) enum Piece {
    Memory,
    Spooled(SharedSpool, Block),
    Wait,
    End,
    Failed(InboundError),
}

#[derive(Debug, Default)]
pub(super) struct State {
    file: Option<SharedSpool>,
    spooled: VecDeque<Block>,
    spooled_bytes: u64,
    /// Bytes of the block that is on its way to the file.
    moving: usize,
    memory: VecDeque<BytesMut>,
    memory_bytes: usize,
    spooler: bool,
    finished: bool,
    closed: bool,
    failed: Option<InboundError>,
}

impl State {
    pub(super) fn push(&mut self, data: &[u8]) {
        self.memory_bytes += data.len();
        match self.memory.back_mut() {
            Some(last) if last.len() + data.len() <= PIECE => last.extend_from_slice(data),
            _ => self.memory.push_back(BytesMut::from(data)),
        }
    }

    /// In memory, the block being written included.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.memory_bytes + self.moving
    }

    /// In all.
    pub(super) const fn bytes(&self) -> u64 {
        self.memory_bytes() as u64 + self.spooled_bytes
    }

    pub(super) fn peek(&self) -> Piece {
        if let Some(error) = &self.failed {
            return Piece::Failed(error.clone());
        }
        match (self.spooled.front(), &self.file) {
            (Some(block), Some(file)) => Piece::Spooled(file.clone(), block.clone()),
            _ if self.moving > 0 => Piece::Wait,
            _ if self.memory_bytes > 0 => Piece::Memory,
            _ if self.finished => Piece::End,
            _ => Piece::Wait,
        }
    }

    pub(super) fn take_memory(&mut self) -> Option<Bytes> {
        let piece = self.memory.pop_front()?;
        self.memory_bytes = self.memory_bytes.saturating_sub(piece.len());
        Some(piece.freeze())
    }

    /// Takes about `most` of the oldest bytes to write them to the file; they count as memory until
    /// [`State::spooled`] says they are there.
    pub(super) fn take_block(&mut self, most: usize) -> Vec<u8> {
        let mut block = Vec::with_capacity(most);
        while let Some(piece) = self.memory.front_mut() {
            let room = most - block.len();
            if room == 0 {
                break;
            }
            if piece.len() <= room {
                block.extend_from_slice(piece);
                self.memory.pop_front();
            } else {
                block.extend_from_slice(&piece.split_to(room));
            }
        }
        self.memory_bytes = self.memory_bytes.saturating_sub(block.len());
        self.moving = block.len();
        block
    }

    pub(super) fn spooled(&mut self, file: &SharedSpool, block: Block) {
        self.moving = 0;
        if self.closed {
            return;
        }
        self.spooled_bytes += block.len() as u64;
        self.spooled.push_back(block);
        if self.file.is_none() {
            self.file = Some(file.clone());
        }
    }

    /// The block could not be written (no room on disk): back to the front of memory. False when nobody wants
    /// it any more.
    pub(super) fn put_back(&mut self, block: &[u8]) -> bool {
        self.moving = 0;
        if !self.closed {
            self.memory_bytes += block.len();
            self.memory.push_front(BytesMut::from(block));
        }
        !self.closed
    }

    pub(super) fn drop_spooled(&mut self) {
        if let Some(block) = self.spooled.pop_front() {
            self.spooled_bytes = self.spooled_bytes.saturating_sub(block.len() as u64);
        }
    }

    /// Whether the caller is to start the spooler.
    pub(super) fn start_spooler(&mut self) -> bool {
        !std::mem::replace(&mut self.spooler, true)
    }

    pub(super) fn stop_spooler(&mut self) {
        self.spooler = false;
    }

    pub(super) fn file(&self) -> Option<SharedSpool> {
        self.file.clone()
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    pub(super) fn abandon(&mut self, why: InboundError) {
        if !self.finished || matches!(why, InboundError::Spool(_)) {
            self.failed.get_or_insert(why);
        }
    }

    /// The reader is gone: nothing is kept. Says how many bytes of memory that frees.
    pub(super) fn close(&mut self) -> usize {
        self.closed = true;
        self.memory.clear();
        self.spooled.clear();
        self.spooled_bytes = 0;
        self.file = None;
        std::mem::take(&mut self.memory_bytes)
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }
}

#[cfg(test)]
impl State {
    pub(super) fn pieces(&self) -> usize {
        self.memory.len()
    }
}
