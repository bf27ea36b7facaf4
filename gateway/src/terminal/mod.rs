//! What goes to a person's terminal: hostile text made harmless, tables, spans of time, and a notice on a live screen.
//!
//! Nothing here knows who the person is or what a cluster is. [`clean`] makes text safe to *show*; it does not make
//! it true: a pod may still be named to look like another.

mod clean;
pub mod editor;
mod follow;
mod notice;
mod render;
mod table;
mod time;

pub use clean::{clean, clean_lines};
pub(crate) use follow::Follower;
pub use notice::{STAY, Screen, bell};
pub use table::table;
pub use time::span;

/// A terminal's size in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

impl Size {
    /// What a person's terminal says of itself, kept between 1 and 1,000: a client that says 0 (not known) is given
    /// 80 × 24, and one that says 65,535 does not make the gateway draw four thousand million cells.
    #[must_use]
    pub fn bounded(columns: u32, rows: u32) -> Self {
        let fit = |value: u32, unknown: u16| match value {
            0 => unknown,
            value => u16::try_from(value.min(1_000)).unwrap_or(unknown),
        };
        Self { columns: fit(columns, 80), rows: fit(rows, 24) }
    }
}
