//! What a username, a group and a subject may look like, wherever they come from.
//!
//! The rules guard three places at once: the `Impersonate-*` headers they end up in, the terminals of the
//! people who approve, and the names that belong to Kubernetes or to this gateway. Whether a name means
//! anybody is the provider's and RBAC's business.

use std::fmt;

/// The longest username, group or subject, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// The most groups that one person may carry.
pub const MAX_GROUPS: usize = 512;

/// Names that only the cluster itself (`system:`) or this gateway's grants (`sallyport:`) may bear.
pub const RESERVED_PREFIXES: [&str; 2] = ["system:", "sallyport:"];

/// Why a name is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameProblem {
    /// Nothing, or nothing but blanks, or blanks at an end.
    Blank,
    /// Longer than [`MAX_NAME_BYTES`].
    TooLong,
    /// A character that cannot be seen, or that changes how its neighbours are shown.
    Unseen(char),
    /// Starts with one of [`RESERVED_PREFIXES`].
    Reserved(&'static str),
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("is empty, or starts or ends with a blank"),
            Self::TooLong => write!(f, "is longer than {MAX_NAME_BYTES} bytes"),
            Self::Unseen(c) => write!(f, "contains the invisible character U+{:04X}", u32::from(*c)),
            Self::Reserved(prefix) => write!(f, "starts with `{prefix}`, which is reserved"),
        }
    }
}

/// Checks a username or a group.
pub(super) fn check(name: &str) -> Result<(), NameProblem> {
    check_text(name)?;
    match RESERVED_PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        Some(prefix) => Err(NameProblem::Reserved(prefix)),
        None => Ok(()),
    }
}

/// Checks a subject: the same, but nothing is reserved, since the cluster never sees it.
pub(super) fn check_text(name: &str) -> Result<(), NameProblem> {
    if name.is_empty() || name.trim() != name {
        return Err(NameProblem::Blank);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(NameProblem::TooLong);
    }
    match name.chars().find(|c| is_unseen(*c)) {
        Some(c) => Err(NameProblem::Unseen(c)),
        None => Ok(()),
    }
}

/// Control characters, and the Unicode ones that hide or reorder text on a screen.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["alice", "alice@example.test", "oidc:Ålice Müller", "CN=ops,OU=eu", "0c1d-42", "a:b"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_name_that_hides_something_is_refused() {
        for (name, problem) in [
            ("", NameProblem::Blank),
            (" alice", NameProblem::Blank),
            ("alice\n", NameProblem::Blank),
            ("al\nice", NameProblem::Unseen('\n')),
            ("al\u{1b}[31mice", NameProblem::Unseen('\u{1b}')),
            ("al\u{202e}ice", NameProblem::Unseen('\u{202e}')),
            ("al\u{200b}ice", NameProblem::Unseen('\u{200b}')),
            ("al\u{9b}ice", NameProblem::Unseen('\u{9b}')),
        ] {
            assert_eq!(check(name), Err(problem), "{name:?}");
        }
        assert_eq!(check(&"x".repeat(MAX_NAME_BYTES)), Ok(()));
        assert_eq!(check(&"x".repeat(MAX_NAME_BYTES + 1)), Err(NameProblem::TooLong));
    }

    #[test]
    fn names_of_the_cluster_and_of_grants_are_refused() {
        assert_eq!(check("system:masters"), Err(NameProblem::Reserved("system:")));
        assert_eq!(check("sallyport:grant:x-bcdfgh"), Err(NameProblem::Reserved("sallyport:")));
        assert_eq!(check_text("system:masters"), Ok(()), "a subject is never impersonated");
    }
}
