//! A TCP proxy before the API server that can be taken away or made to answer nothing: how a cluster looks that is
//! down or hangs, without harming the one that others use.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How the proxy treats its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Everything passes.
    Open = 0,
    /// Connections are closed at once, existing ones too.
    Down = 1,
    /// Connections are taken and no byte passes.
    Stalled = 2,
}

/// A running proxy; its threads end with the process.
#[derive(Debug, Clone)]
pub struct Proxy {
    address: SocketAddr,
    mode: Arc<AtomicU8>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Starts before `target`.
    #[must_use]
    pub fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let proxy = Self { address, mode: Arc::default(), open: Arc::default() };
        let ours = proxy.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let ours = ours.clone();
                std::thread::spawn(move || ours.serve(&client, target));
            }
        });
        proxy
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how clients are treated from now on.
    pub fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
        if mode == Mode::Down {
            for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn serve(&self, client: &TcpStream, target: SocketAddr) {
        if self.mode.load(Ordering::SeqCst) == Mode::Down as u8 {
            return;
        }
        let Ok(server) = TcpStream::connect(target) else { return };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: what was taken before the proxy went down is closed by who takes it down, or not kept at all.
        if self.mode.load(Ordering::SeqCst) == Mode::Down as u8 {
            return;
        }
        open.extend(client.try_clone().into_iter().chain(server.try_clone()));
        drop(open);
        std::thread::scope(|scope| {
            scope.spawn(|| self.copy(client, &server));
            self.copy(&server, client);
        });
    }

    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        let pass = |buffer: &mut [u8], from: &mut &TcpStream, to: &mut &TcpStream| -> io::Result<bool> {
            let n = from.read(buffer)?;
            while self.mode.load(Ordering::SeqCst) == Mode::Stalled as u8 {
                std::thread::sleep(Duration::from_millis(20));
            }
            to.write_all(&buffer[..n])?;
            Ok(n > 0)
        };
        while matches!(pass(&mut buffer, &mut from, &mut to), Ok(true)) {}
        let _ = to.shutdown(Shutdown::Write);
    }
}
