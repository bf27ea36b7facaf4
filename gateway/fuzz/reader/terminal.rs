//! The part of the gateway's `terminal` that the reader uses.

#[path = "../../src/terminal/follow.rs"]
mod follow;
#[path = "../../src/terminal/size.rs"]
mod size;

pub(crate) use follow::Follower;
pub(crate) use size::Size;
