//! The server on loopback, driven by the real `ssh`, with what happens on its channels replaced by something small.

mod flow;
mod hostile;
mod house;
mod rig;
mod sealed;
mod sessions;
mod signin;
mod transport;

use house::House;
