//! People, as the decisions see them.

use std::collections::BTreeSet;

/// Someone who is here now: the username and groups that a verified token or certificate gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The username, as the cluster sees it.
    pub username: String,
    /// The groups, as the identity provider says at this moment.
    pub groups: BTreeSet<String>,
}

impl Person {
    /// The first of `wanted`, in alphabetical order, that this person belongs to.
    #[must_use]
    pub fn in_any<'a>(&self, wanted: &'a BTreeSet<String>) -> Option<&'a str> {
        wanted.iter().find(|group| self.groups.contains(*group)).map(String::as_str)
    }
}

/// Who somebody is, apart from what they may: the issuer's own stable name for them, and the username.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    /// The OIDC issuer.
    pub issuer: String,
    /// The issuer's name for the person; never given to another one.
    pub subject: String,
    /// The username, as the cluster sees it.
    pub username: String,
}

impl Principal {
    /// Whether both are certainly the same account: the same subject of the same issuer. The username is not
    /// asked, since it may have been changed, or given to another person.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.subject == other.subject
    }

    /// Whether both could be one human being: the same account, or usernames that differ only in spelling
    /// (case, full-width letters, blanks and invisible characters). Used where a doubt must count against the
    /// person: for approving.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        self.is(other) || fold(&self.username) == fold(&other.username)
    }
}

/// A username without what only its spelling adds. Two accounts that fold alike are treated as one person
/// when approvals are counted; nothing is ever granted because of it.
fn fold(username: &str) -> String {
    username
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(*c))
        .map(|c| match c {
            // Full-width forms of ASCII, which some providers let through.
            '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
            other => other,
        })
        .flat_map(char::to_lowercase)
        .collect()
}

/// Characters that take no room on a screen.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(issuer: &str, subject: &str, username: &str) -> Principal {
        Principal { issuer: issuer.into(), subject: subject.into(), username: username.into() }
    }

    #[test]
    fn one_account_is_one_person_whatever_its_username() {
        let before = principal("https://idp", "7", "alice");
        let after = principal("https://idp", "7", "alice.smith");
        assert!(before.is(&after) && before.may_be(&after));
    }

    #[test]
    fn a_recycled_username_is_not_the_same_account() {
        assert!(!principal("https://idp", "7", "alice").is(&principal("https://idp", "8", "alice")));
    }

    #[test]
    fn spelling_does_not_make_a_second_person() {
        let alice = principal("https://idp", "7", "alice@corp");
        for other in ["Alice@corp", "ALICE@CORP", " alice@corp ", "al\u{200b}ice@corp", "ａlice@corp"] {
            assert!(alice.may_be(&principal("https://other", "8", other)), "{other:?}");
        }
        assert!(!alice.may_be(&principal("https://idp", "8", "bob@corp")));
    }
}
