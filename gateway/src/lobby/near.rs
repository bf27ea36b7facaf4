//! The known word that is nearest to a mistyped one.

/// Words longer than this are not compared.
const LONGEST: usize = 32;

/// What people of other tools type, and what it is called here.
const SYNONYMS: &[(&str, &str)] = &[
    ("?", "help"),
    ("access", "request"),
    ("ask", "request"),
    ("attach", "shell"),
    ("bash", "shell"),
    ("get", "pods"),
    ("allow", "approve"),
    ("block", "lock"),
    ("cancel", "withdraw"),
    ("can-i", "why"),
    ("end", "revoke"),
    ("explain", "why"),
    ("id", "whoami"),
    ("log", "logs"),
    ("ls", "pods"),
    ("man", "help"),
    ("ps", "pods"),
    ("prolong", "extend"),
    ("reject", "deny"),
    ("renew", "extend"),
    ("roles", "policies"),
    ("run", "exec"),
    ("sh", "shell"),
    ("signin", "login"),
    ("status", "grants"),
    ("tail", "logs"),
];

/// The same for flags.
const FLAGS: &[(&str, &str)] = &[
    ("all", "everything"),
    ("at", "start"),
    ("because", "reason"),
    ("comment", "reason"),
    ("duration", "for"),
    ("issue", "ticket"),
    ("message", "reason"),
    ("ns", "namespace"),
    ("time", "for"),
    ("until", "for"),
    ("user", "person"),
    ("who", "person"),
];

/// The flag that people of other tools call `word`, if it is one of `known`.
pub(super) fn flag_synonym(
    word: &str,
    mut known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let (_, ours) = FLAGS.iter().find(|(other, _)| *other == word)?;
    known.find(|known| known == ours)
}

pub(super) fn synonym(word: &str) -> Option<&'static str> {
    SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours)
}

/// The candidate with the smallest distance to `word`, if that is small for the word's length.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = word.to_lowercase().chars().take(LONGEST + 1).collect();
    if typed.len() > LONGEST {
        return None;
    }
    let allowed = match typed.len() {
        0 => return None,
        1..=3 => 1,
        4..=6 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(&typed, &candidate.chars().collect::<Vec<_>>()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (at(&row, j + 1) + 1).min(at(&next, j) + 1).min(at(&row, j) + usize::from(x != y));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("exec", "exec", 0),
            ("exce", "exec", 1),
            ("exe", "exec", 1),
            ("lgos", "logs", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(&chars(a), &chars(b)), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_is_found_and_far_ones_are_not_offered() {
        let known = ["request", "requests", "exec", "logs", "help"];
        assert_eq!(nearest("requset", known), Some("request"));
        assert_eq!(nearest("EXCE", known), Some("exec"));
        assert_eq!(nearest("frobnicate", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_zero_only_for_equals(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
            let there = distance(&chars(&a), &chars(&b));
            prop_assert_eq!(there, distance(&chars(&b), &chars(&a)));
            prop_assert_eq!(there == 0, a == b);
            prop_assert!(there <= a.len().max(b.len()));
        }
    }
}
