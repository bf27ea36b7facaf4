//! HTML from two things only: markup that stands in this source, and text that is escaped. There is no third way in.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// The most characters that are shown of one text.
const MOST: usize = 4096;

/// A piece of a page.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Markup as it stands in the source.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text from anywhere, for between tags and inside `"` of an attribute: short, without what acts instead of showing
    /// itself, and escaped.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let mut kept: String = text.chars().take(MOST).collect();
        if text.chars().nth(MOST).is_some() {
            kept.push('…');
        }
        for c in crate::terminal::clean(&kept).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// Text that stands for itself: what is written from right to left does not reorder what stands beside it.
    pub(super) fn value(&mut self, text: &str) -> &mut Self {
        self.raw("<bdi>").text(text).raw("</bdi>")
    }

    /// Another piece.
    pub(super) fn add(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    #[cfg(test)]
    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn response(self, status: StatusCode) -> Response {
        (status, axum::response::Html(self.0)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut html = Html::new();
        html.text(text);
        html.0
    }

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(
            shown("<script>alert('x')</script>\" onload=\"y & z"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;y &amp; z"
        );
    }

    #[test]
    fn no_text_acts_or_fills_the_page() {
        assert_eq!(shown("a\u{202e}b\u{0}c\u{1b}[2J\nd\u{200b}"), "a�b�c�[2J d�");
        let long = shown(&"x".repeat(5_000_000));
        assert_eq!(long.chars().count(), MOST + 1);
        assert!(long.ends_with("x…"));
    }
}
