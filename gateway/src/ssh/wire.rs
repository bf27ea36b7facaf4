//! The TCP stream as the SSH library sees it: counted, buffered, and ended from outside.
//!
//! Counting serves `auth`: the library does not say whether a key was offered bare or inside a certificate, and
//! says nothing at all of a certificate whose dates are over; the number of bytes that arrived does. The library
//! takes exactly one packet at a time and calls the handler before it takes the next, so a count read in a
//! callback ends with that callback's packet. Nothing is *allowed* because of a count (see `auth`).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Small packets come in few system calls; large ones bypass it.
const BUFFER: usize = 8 * 1024;

/// How many bytes the library has taken so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken(Arc<AtomicU64>);

impl Taken {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that counts what is read and fails once its token is cancelled, also in the middle of a write that
/// the other side does not take.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: BufReader<S>,
    taken: Taken,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, end: CancellationToken) -> (Self, Taken) {
        let taken = Taken::default();
        let stream = BufReader::with_capacity(BUFFER, stream);
        (Self { stream, taken: taken.clone(), end: Box::pin(end.cancelled_owned()) }, taken)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "ended by the gateway")),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_end(cx)?;
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = buf.filled().len().saturating_sub(before);
        self.taken.0.fetch_add(read as u64, Ordering::Relaxed);
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_the_library_took_is_counted_and_not_what_merely_arrived() {
        let (mut far, near) = tokio::io::duplex(1024);
        let (mut wire, taken) = Wire::new(near, CancellationToken::new());
        far.write_all(&[7; 100]).await.unwrap();
        let mut head = [0; 5];
        wire.read_exact(&mut head).await.unwrap();
        assert_eq!(taken.bytes(), 5);
        let mut rest = [0; 95];
        wire.read_exact(&mut rest).await.unwrap();
        assert_eq!(taken.bytes(), 100);
    }

    #[tokio::test]
    async fn an_ended_wire_fails_in_a_read_and_in_a_write_that_nobody_takes() {
        for write in [false, true] {
            let (_far, near) = tokio::io::duplex(16);
            let end = CancellationToken::new();
            let (mut wire, _) = Wire::new(near, end.clone());
            let stuck = tokio::spawn(async move {
                if write { wire.write_all(&[0; 1000]).await } else { wire.read_u8().await.map(drop) }
            });
            tokio::task::yield_now().await;
            assert!(!stuck.is_finished());
            end.cancel();
            assert_eq!(stuck.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        }
    }
}
