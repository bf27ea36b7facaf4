//! The SSH server: everything that speaks the protocol, and what happens on its channels.
//!
//! ```text
//! server      accept loop, limits, timers, algorithms, the end
//! handler     the library's callbacks: look, answer, hand on; never wait
//! auth        who may come in, as a state machine without the library
//! channel     what a session or a tunnel gets to work with
//! inbound     bytes from the client: bounded, spooled, never in the way of others
//! outflow     bytes to the client: within its window
//! rooms       command lines: answered by `lobby`, or authorised, found, put on record and started
//! pump        a session between a client and a pod; ending: its last words; ledger: its books
//! ruled       commands under rules; counter: what is decided about them goes on record
//! tunnel      `direct-tcpip`
//! signin      `login`
//! gateway     all of it put together
//! ```
//!
//! Only this module (and `ca`, for keys and certificates) uses the SSH library.

mod auth;
mod channel;
mod connection;
mod counter;
mod ending;
mod gateway;
mod handler;
mod inbound;
mod inuse;
mod ledger;
mod limits;
mod outflow;
mod pump;
mod rooms;
mod ruled;
mod sealed;
mod server;
mod signin;
mod tunnel;
mod wait;
mod wire;

#[cfg(test)]
mod tests;

pub use gateway::{Gateway, SshError, serve};
pub use server::Settings;
