//! Paths in normal form, and patterns of them.
//!
//! Where its guarantee ends: `..` is taken away by its letters. Whoever relies on that has the program run with the
//! normal form as well, so that a symbolic link before `..` changes nothing. Links themselves are not seen here.

use crate::line::Matcher;

/// The absolute normal form: no `.`, `..`, `//`, nor a slash at the end. `None` for a relative path without a directory.
pub(crate) fn normal(path: &str, directory: Option<&str>) -> Option<String> {
    let base = if path.starts_with('/') { "" } else { directory.filter(|base| base.starts_with('/'))? };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    let mut whole = String::with_capacity(base.len() + path.len() + 1);
    for part in parts {
        whole.push('/');
        whole.push_str(part);
    }
    if whole.is_empty() {
        whole.push('/');
    }
    Some(whole)
}

/// Whether `..` stands anywhere in it.
pub(crate) fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// Whether `..` stands behind a name: where that is a symbolic link, letters do not say where it leads.
pub(crate) fn climbs_behind_a_name(path: &str) -> bool {
    let mut named = false;
    path.split('/').any(|part| match part {
        ".." => named,
        "" | "." => false,
        _ => {
            named = true;
            false
        }
    })
}

/// The last part of a path.
pub(crate) fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// `directory/name`.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.ends_with('/') { format!("{directory}{name}") } else { format!("{directory}/{name}") }
}

/// A pattern of paths. `DIR/**` also means `DIR` itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathPattern {
    whole: Matcher,
    /// Of `DIR/**`: `DIR`.
    root: Option<Matcher>,
    /// Part by part, up to the first `**`.
    parts: Vec<Matcher>,
    /// Whether a `**` follows.
    open: bool,
    /// How the pattern begins, letter by letter: whatever does not begin so cannot match.
    begins: String,
    /// The same behind the first `**`: whatever does not have it inside cannot match.
    inside: String,
    /// Of one that floats: part by part behind the `**`, with `None` for another `**`.
    behind: Vec<Option<Matcher>>,
}

impl PathPattern {
    /// Compiles one.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        if !source.starts_with('/') && !source.starts_with("**/") {
            return Err("a pattern of paths begins with `/` or `**/`".to_owned());
        }
        if climbs(source) {
            return Err("a pattern of paths has no `..`".to_owned());
        }
        let root = match source.strip_suffix("/**") {
            Some("") => Some(Matcher::parse("/")?),
            Some(root) => Some(Matcher::parse(root)?),
            None => None,
        };
        let mut parts = Vec::new();
        let mut open = false;
        for part in source.split('/').filter(|part| !part.is_empty()) {
            if part.contains("**") {
                open = true;
                break;
            }
            parts.push(Matcher::parse(part)?);
        }
        let begins = source.split(['*', '?', '[', '{', '\\']).next().unwrap_or_default();
        // `DIR/**` also means `DIR`, which has no slash behind it.
        let begins = begins.strip_suffix('/').unwrap_or(begins).to_owned();
        // `**` also stands for no part at all.
        let behind = source.strip_prefix("**").unwrap_or_default();
        let inside = behind.split(['*', '?', '[', '\\']).next().unwrap_or_default();
        let inside = inside.strip_suffix('/').unwrap_or(inside).to_owned();
        let behind = if source.starts_with("**") {
            let part = |part: &str| (part != "**").then(|| Matcher::parse(part)).transpose();
            source.split('/').skip(1).map(part).collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        Ok(Self { whole: Matcher::parse(source)?, root, parts, open, begins, inside, behind })
    }

    /// As it was written.
    pub(crate) fn source(&self) -> &str {
        self.whole.source()
    }

    /// Whether it matches an absolute normal path.
    pub(crate) fn matches(&self, path: &str) -> bool {
        path.starts_with(&self.begins)
            && path.contains(&self.inside)
            && (self.root.as_ref().is_some_and(|root| root.matches(path)) || self.whole.matches(path))
    }

    /// Whether it matches everything at and below a path.
    pub(crate) fn covers(&self, path: &str) -> bool {
        self.root.is_some() && self.matches(path)
    }

    /// Whether it begins with `**`: it could match in any directory.
    pub(crate) fn floats(&self) -> bool {
        self.parts.is_empty() && self.open && self.source() != "/**"
    }

    /// Of one that floats: whether a path ends in what its rest begins with, so that what lies below is meant.
    pub(crate) fn continues(&self, path: &str) -> bool {
        if self.behind.len() < 2 {
            return false;
        }
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        (1..self.behind.len()).any(|count| {
            let ends = names.len().checked_sub(count).and_then(|from| names.get(from..)).unwrap_or_default();
            ends.len() == count
                && ends
                    .iter()
                    .zip(&self.behind)
                    .all(|(name, part)| part.as_ref().is_none_or(|part| part.matches(name)))
        })
    }

    /// Whether it could match something below a path.
    pub(crate) fn reaches_below(&self, path: &str) -> bool {
        // All that lies below begins as the path does.
        if self.begins.bytes().zip(path.bytes()).any(|(one, other)| one != other) {
            return false;
        }
        let mut parts = self.parts.iter();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match parts.next() {
                Some(part) if part.matches(name) => {}
                Some(_) => return false,
                None => return self.open,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Directory by directory, as somebody would walk.
    fn walked(path: &str, directory: &str) -> String {
        let mut stack: Vec<String> = Vec::new();
        let all = if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
        let mut name = String::new();
        for c in all.chars().chain(['/']) {
            if c != '/' {
                name.push(c);
                continue;
            }
            if name == ".." {
                stack.truncate(stack.len().saturating_sub(1));
            } else if !name.is_empty() && name != "." {
                stack.push(name.clone());
            }
            name.clear();
        }
        format!("/{}", stack.join("/"))
    }

    proptest! {
        #[test]
        fn a_path_leads_where_walking_it_leads(path in "[a./]{0,24}", directory in "(/[ab.]{1,3}){0,4}") {
            let directory = format!("/{}", directory.trim_start_matches('/'));
            prop_assert_eq!(normal(&path, Some(&directory)).unwrap(), walked(&path, &directory));
        }

        #[test]
        fn what_matches_below_a_path_is_reached_from_there(
            pattern in "(/(a|ab|b|\\*|a\\*)){1,3}(/\\*\\*)?",
            path in "(/(a|ab|b)){1,3}",
            below in "(/(a|ab|b)){1,3}",
        ) {
            let pattern = PathPattern::parse(&pattern).unwrap();
            let reached = pattern.reaches_below(&path);
            prop_assert!(reached || !pattern.matches(&format!("{path}{below}")), "{pattern:?} {path} {below}");
            prop_assert!(pattern.reaches_below("/"));
        }

        #[test]
        fn a_normal_path_is_its_own_normal_form(path in "/[ab./]{0,24}") {
            let once = normal(&path, None).unwrap();
            prop_assert_eq!(normal(&once, None).unwrap(), once.clone());
            prop_assert!(!climbs(&once) && !once.contains("//"));
        }
    }

    #[test]
    fn a_relative_path_needs_a_directory() {
        assert_eq!(normal("etc/shadow", None), None);
        assert_eq!(normal("etc/shadow", Some("relative")), None);
        assert_eq!(normal("../etc/./shadow//", Some("/tmp")).as_deref(), Some("/etc/shadow"));
        assert_eq!(normal("/../..", None).as_deref(), Some("/"));
    }

    #[test]
    fn two_dots_behind_a_name_are_seen() {
        for climbing in ["a/..", "/a/../b", "./a/./../b"] {
            assert!(climbs_behind_a_name(climbing), "{climbing}");
        }
        for fine in ["..", "../..", "/..", "a..b", "...", "./../a"] {
            assert!(!climbs_behind_a_name(fine), "{fine}");
        }
    }

    #[test]
    fn a_tree_pattern_means_its_root_too_and_knows_what_lies_above_it() {
        let pattern = PathPattern::parse("/var/run/secrets/**").unwrap();
        assert!(pattern.matches("/var/run/secrets") && pattern.matches("/var/run/secrets/a/b"));
        assert!(!pattern.matches("/var/run/secretsauce"));
        for above in ["/", "/var", "/var/run", "/var/run/secrets", "/var/run/secrets/x/y"] {
            assert!(pattern.reaches_below(above), "{above}");
        }
        for beside in ["/etc", "/var/log", "/var/run/other"] {
            assert!(!pattern.reaches_below(beside), "{beside}");
        }
        assert!(pattern.covers("/var/run/secrets") && !pattern.covers("/var/run"));
    }

    #[test]
    fn patterns_that_could_mean_nothing_are_refused() {
        for bad in ["etc/**", "", "~/.ssh", "/a/../b"] {
            assert!(PathPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
