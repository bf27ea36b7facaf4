//! The word that somebody meant who typed another one.
//!
//! Where it ends: it knows letters, not meanings; one slip is found, two are not.

/// Words longer than this are not compared.
const LONGEST: usize = 32;

/// The first of `known` that is one slip away: a letter too many, too few, wrong, or two that changed places.
pub(super) fn meant<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = typed.chars().take(LONGEST + 1).collect();
    if letters.len() < 2 || letters.len() > LONGEST {
        return None;
    }
    known.into_iter().find(|word| {
        let word: Vec<char> = word.chars().take(LONGEST + 1).collect();
        word.len() > 1 && slipped(&letters, &word)
    })
}

fn slipped(typed: &[char], meant: &[char]) -> bool {
    let same = typed.iter().zip(meant).take_while(|(a, b)| a == b).count();
    let (typed, meant) = (typed.get(same..).unwrap_or_default(), meant.get(same..).unwrap_or_default());
    match (typed, meant) {
        ([], [_]) | ([_], []) => true,
        ([a, b, rest @ ..], [c, d, other @ ..]) if a == d && b == c && rest == other => true,
        ([_, rest @ ..], [_, other @ ..]) if rest == other => true,
        ([_, rest @ ..], meant) if rest == meant => true,
        (typed, [_, rest @ ..]) if typed == rest => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn one_slip_is_found_and_two_are_not() {
        let known = ["cat", "ls", "tail", "top", "w"];
        for (typed, expected) in [
            ("toop", Some("top")),
            ("tp", Some("top")),
            ("otp", Some("top")),
            ("tup", Some("top")),
            ("sl", Some("ls")),
            ("catt", Some("cat")),
            ("xcat", Some("cat")),
            ("at", Some("cat")),
            ("tial", Some("tail")),
            ("too1", None),
            ("tla", None),
            ("x", None),
            ("top", None),
            ("", None),
        ] {
            assert_eq!(meant(typed, known), expected, "{typed}");
        }
        assert_eq!(meant(&"a".repeat(5000), ["aaa"]), None);
    }
}
