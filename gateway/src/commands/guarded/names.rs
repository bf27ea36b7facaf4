//! The names in a directory of the container: all of them or none, and which are directories.

use sallyport_policy::commands::{Cleared, Own};

use super::container::{Container, ask};
use crate::bridge::Exit;

/// The most names that are taken.
const MOST: usize = 10_000;

/// The names in a directory, `true` for those that are directories or lead to one; none where it cannot be read.
///
/// # Errors
/// In words, where the container has no way to say, or there are too many.
pub(super) async fn list<C: Container>(container: &C, path: &str) -> Result<Vec<(String, bool)>, String> {
    // With a dot behind it, a link to a directory is looked into, and a file is an error.
    let inside = format!("{}/.", path.trim_end_matches('/'));
    let said = ask(container, Cleared::own(Own::List(inside))).await;
    let said = said.map_err(|error| format!("the names in `{path}` cannot be listed: {error}"))?;
    let too_many = || format!("there are more than {MOST} names in `{path}`: write more of the path");
    if said.cut {
        return Err(too_many());
    }
    if said.is_missing() {
        return Err(
            "this container has no `find`, so patterns and completion do not work in it: write names out"
                .to_owned(),
        );
    }
    if let Exit::Unknown { why } = &said.exit {
        return Err(format!("the names in `{path}` cannot be listed: {why}"));
    }
    names(&said.out).ok_or_else(too_many)
}

/// Paths, each ended by NUL, directories twice. A name that is not UTF-8 shows `�`.
fn names(out: &[u8]) -> Option<Vec<(String, bool)>> {
    let mut names: Vec<(String, bool)> = Vec::new();
    let mut last: &[u8] = b"";
    let whole = out.strip_suffix(b"\0").unwrap_or_default();
    for path in whole.split(|&byte| byte == 0).filter(|path| !path.is_empty()) {
        if path == last {
            if let Some((_, directory)) = names.last_mut() {
                *directory = true;
            }
            continue;
        }
        last = path;
        if names.len() >= MOST {
            return None;
        }
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        names.push((String::from_utf8_lossy(name).into_owned(), false));
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_without_their_directory_and_directories_are_known() {
        let expected = [("a\nb".to_owned(), false), ("sub".to_owned(), true), ("z".to_owned(), false)];
        assert_eq!(names(b"/tmp/./a\nb\0/tmp/./sub\0/tmp/./sub\0/tmp/./z\0").unwrap(), expected);
        assert_eq!(names(b"").unwrap(), []);
        assert_eq!(names(b"./cut off").unwrap(), [], "a name without an end is none");
    }

    #[test]
    fn half_of_the_names_are_not_given() {
        let many: Vec<u8> = (0..=MOST).flat_map(|n| format!("/{n}\0").into_bytes()).collect();
        assert_eq!(names(&many), None);
    }
}
