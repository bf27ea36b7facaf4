//! Names, checked once: a value of these types can be put into a URL, a label or a group without a second look.
//! The rules are Kubernetes' own (RFC 1123 labels and subdomains), with shorter limits where a name becomes
//! part of another one.

use std::fmt;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a {kind} cannot be empty")]
    Empty {
        /// What was expected, in words.
        kind: &'static str,
    },
    /// Too long; the text itself is not repeated.
    #[error("a {kind} has at most {limit} characters, this has {length}")]
    TooLong {
        /// What was expected, in words.
        kind: &'static str,
        /// How many bytes it may have.
        limit: usize,
        /// How many it has.
        length: usize,
    },
    /// A character or a place of one that is not allowed.
    #[error(
        "`{shown}` is not a {kind}: lower-case letters, digits and `-`{dots}, beginning and ending with a letter or digit"
    )]
    Malformed {
        /// What was expected, in words.
        kind: &'static str,
        /// What was given, with everything unprintable replaced.
        shown: String,
        /// The part of the sentence on dots.
        dots: &'static str,
    },
}

/// Whether `text` is an RFC 1123 label: letters, digits and inner hyphens, lower case.
fn is_label(text: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.as_bytes().first().is_some_and(alphanumeric)
        && text.as_bytes().last().is_some_and(alphanumeric)
        && text.bytes().all(|byte| alphanumeric(&byte) || byte == b'-')
}

fn check(kind: &'static str, text: &str, limit: usize, dotted: bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    if text.len() > limit {
        return Err(NameError::TooLong { kind, limit, length: text.len() });
    }
    let fits = if dotted { text.split('.').all(is_label) } else { is_label(text) };
    if fits {
        return Ok(());
    }
    let shown = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    Err(NameError::Malformed { kind, shown, dots: if dotted { ", in parts joined by `.`" } else { "" } })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $limit:literal, dotted: $dotted:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// When it is empty, too long, or has a character where it may not have one.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check($kind, text, $limit, $dotted)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }
    };
}

name!(
    /// A namespace.
    Namespace, "namespace name", 63, dotted: false
);
name!(
    /// A pod; also what a Deployment, StatefulSet, Job or Service may be called.
    PodName, "pod name", 253, dotted: true
);
name!(
    /// A container.
    ContainerName, "container name", 63, dotted: false
);
name!(
    /// An `AccessPolicy`. Shorter than Kubernetes allows, since it begins the names of its requests.
    PolicyName, "policy name", 50, dotted: false
);
name!(
    /// An `AccessRequest`, and so a grant: `<policy>-<6 characters>`. Fits a label's value.
    RequestName, "request name", 63, dotted: false
);

impl RequestName {
    /// The group that the grant's RoleBindings name and every call on its behalf impersonates.
    #[must_use]
    pub fn group(&self) -> String {
        format!("sallyport:grant:{}", self.0)
    }

    /// What the grant's RoleBindings are called.
    #[must_use]
    pub fn binding(&self) -> String {
        format!("sallyport-{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass_and_stay_as_they_are() {
        for good in ["a", "payments", "p-4", "0day", &"x".repeat(63)] {
            assert_eq!(Namespace::parse(good).unwrap().as_str(), good);
        }
        assert!(PodName::parse("api-7d9c.v2").is_ok());
        assert!(PodName::parse(&"x".repeat(253)).is_ok());
    }

    #[test]
    fn bad_names_are_refused_and_the_text_says_why() {
        for bad in ["-a", "a-", "A", "a_b", "a.b", "a/b", "ä", "a b", "..", "a\0", "a\n"] {
            assert!(matches!(Namespace::parse(bad), Err(NameError::Malformed { .. })), "{bad:?}");
        }
        for bad in ["a..b", ".a", "a.", "a.-b", "../../etc"] {
            assert!(PodName::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Namespace::parse("").unwrap_err().to_string(), "a namespace name cannot be empty");
        assert_eq!(
            PolicyName::parse(&"x".repeat(51)).unwrap_err().to_string(),
            "a policy name has at most 50 characters, this has 51"
        );
    }

    #[test]
    fn an_escape_in_a_bad_name_does_not_reach_the_screen() {
        let text = Namespace::parse("a\u{1b}[2J").unwrap_err().to_string();
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
