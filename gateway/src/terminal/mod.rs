//! What goes to a person's terminal: hostile text made harmless, tables, spans of time, and a notice on a live screen.
//!
//! Nothing here knows who the person is or what a cluster is. [`clean`] makes text safe to *show*; it does not make
//! it true: a pod may still be named to look like another.

mod clean;
pub mod editor;
mod follow;
mod notice;
mod render;
mod size;
mod table;
mod time;

pub use clean::{clean, clean_lines};
pub(crate) use follow::Follower;
pub use notice::{STAY, Screen, bell};
pub use size::Size;
pub use table::table;
pub use time::span;
