//! What could stand at the cursor: how far all candidates agree, and a list of them.

use crate::terminal::clean;

/// Most candidates that are listed.
const LISTED: usize = 200;

/// One thing that could be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What replaces the text, as it has to be typed.
    pub text: String,
    /// What is listed.
    pub shown: String,
    /// Whether the word is complete with it, so that a blank follows.
    pub complete: bool,
}

/// Everything that could be meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// The text that was asked about.
    pub asked: String,
    /// Where the part to be replaced begins, in bytes.
    pub from: usize,
    /// Where it ends: the cursor.
    pub to: usize,
    /// In the order in which they are listed.
    pub candidates: Vec<Candidate>,
}

impl Offer {
    /// A place in characters.
    pub(super) fn characters_at(&self, bytes: usize) -> usize {
        self.asked.char_indices().take_while(|(index, _)| *index < bytes).count()
    }
}

/// What all candidates agree on, where that is more than there is.
pub(super) fn advance(offer: &Offer) -> Option<String> {
    let (first, others) = offer.candidates.split_first()?;
    let there = offer.asked.get(offer.from..offer.to)?;
    let agreed = match others {
        [] if first.complete => format!("{} ", first.text),
        [] => first.text.clone(),
        others => {
            let mut agreed = first.text.as_str();
            for other in others {
                let same = agreed.char_indices().zip(other.text.chars()).find(|((_, a), b)| a != b);
                let end = same.map_or(agreed.len().min(other.text.len()), |((index, _), _)| index);
                agreed = agreed.get(..end).unwrap_or_default();
            }
            agreed.to_owned()
        }
    };
    let further = agreed.chars().count() > there.chars().count() || others.is_empty() && agreed != there;
    further.then_some(agreed)
}

/// The candidates in columns, each line ended.
pub(super) fn list(candidates: &[Candidate], columns: usize) -> Vec<u8> {
    use unicode_width::UnicodeWidthStr as _;
    let names: Vec<String> =
        candidates.iter().take(LISTED).map(|candidate| clean(&candidate.shown)).collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0) + 2;
    let across = (columns / widest).max(1);
    let rows = names.len().div_ceil(across);
    let mut out = String::new();
    for row in 0..rows {
        let mut line = String::new();
        for name in names.iter().skip(row).step_by(rows.max(1)) {
            line.push_str(name);
            line.extend(std::iter::repeat_n(' ', widest.saturating_sub(name.width())));
        }
        out.push_str(line.trim_end());
        out.push_str("\r\n");
    }
    if let Some(more @ 1..) = candidates.len().checked_sub(LISTED) {
        out.push_str(&format!("… and {more} more\r\n"));
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(asked: &str, from: usize, texts: &[&str]) -> Offer {
        let candidate = |text: &&str| Candidate {
            text: (*text).to_owned(),
            shown: (*text).to_owned(),
            complete: !text.ends_with('/'),
        };
        Offer {
            asked: asked.to_owned(),
            from,
            to: asked.len(),
            candidates: texts.iter().map(candidate).collect(),
        }
    }

    #[test]
    fn as_much_is_filled_in_as_all_agree_on() {
        assert_eq!(advance(&offer("ls fé", 3, &["fête", "féal"])), None);
        assert_eq!(advance(&offer("ls f", 3, &["fête", "fêtard"])).as_deref(), Some("fêt"));
        assert_eq!(advance(&offer("ls f", 3, &["fête"])).as_deref(), Some("fête "));
        assert_eq!(advance(&offer("ls /e", 3, &["/etc/"])).as_deref(), Some("/etc/"));
        assert_eq!(advance(&offer("ls x", 3, &[])), None);
    }

    #[test]
    fn a_list_stays_within_the_screen_and_in_bounds() {
        let texts: Vec<String> = (0..300).map(|n| format!("name-{n:03}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let listed = String::from_utf8(list(&offer("", 0, &texts).candidates, 40)).unwrap();
        assert!(listed.lines().all(|line| line.len() <= 40));
        assert!(listed.ends_with("… and 100 more\r\n"));
        assert_eq!(String::from_utf8(list(&offer("", 0, &["a\x1b[2J"]).candidates, 3)).unwrap(), "a�[2J\r\n");
    }
}
