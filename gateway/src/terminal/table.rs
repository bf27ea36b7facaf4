//! Plain tables: columns aligned by display width, two blanks between them, none at a line's end.

use unicode_width::UnicodeWidthStr;

use super::clean;

/// A table with a heading row; cells are cleaned. A row may be shorter than the heading, what it has beyond is dropped.
/// Ends with a line feed.
#[must_use]
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = headings.iter().map(|cell| clean(cell)).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().take(headings.len()).map(|cell| clean(cell)).collect()).collect();
    let mut widths = vec![0; headings.len()];
    for row in std::iter::once(&heading).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&heading).chain(&rows) {
        let start = out.len();
        for (cell, width) in row.iter().zip(&widths) {
            if out.len() > start {
                out.push_str("  ");
            }
            out.push_str(cell);
            out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
        }
        out.truncate(out.trim_end_matches(' ').len().max(start));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn columns_align_by_what_is_seen_and_lines_end_without_blanks() {
        let shown = table(&["NAME", "STATUS", ""], &[row(&["日本", "Running", ""]), row(&["api-0", "", ""])]);
        assert_eq!(shown, "NAME   STATUS\n日本   Running\napi-0\n");
    }

    #[test]
    fn an_empty_first_cell_keeps_its_column() {
        assert_eq!(table(&["A", "B"], &[row(&["", "x"])]), "A  B\n   x\n");
    }

    #[test]
    fn a_hostile_cell_stays_in_its_row() {
        assert_eq!(table(&["A"], &[row(&["x\r\n\x1b[2Jy", "too much"])]), "A\nx� �[2Jy\n");
    }
}
