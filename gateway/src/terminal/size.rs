//! How large a terminal is.

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
