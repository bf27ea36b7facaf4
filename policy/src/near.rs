//! The known word that is nearest to a mistyped one.
//!
//! Where its guarantee ends: it compares letters. Whether the reader may know of a word that it finds is for who asks.

/// Words longer than this are not compared.
const LONGEST: usize = 32;

/// The candidate with the smallest distance to `word`, if that is small for the word's length.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |word: &str| word.to_lowercase().chars().take(LONGEST + 1).collect::<Vec<char>>();
    let typed = letters(word);
    let allowed = match typed.len() {
        0 => return None,
        1..=3 => 1,
        4..=6 => 2,
        7..=LONGEST => 3,
        _ => return None,
    };
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (distance(&typed, &letters(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The first candidate that is one slip away: a letter too many, too few, wrong, or two that changed places. Each costs one
/// look, since a denied line waits for it.
pub(crate) fn slip<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let longer = |word: &str| word.chars().nth(1).is_some() && word.len() <= LONGEST;
    candidates
        .into_iter()
        .filter(|candidate| longer(word) && longer(candidate))
        .find(|candidate| slipped(word, candidate))
}

/// Whether the distance is 1.
fn slipped(typed: &str, meant: &str) -> bool {
    let (mut a, mut b) = (typed.chars(), meant.chars());
    loop {
        let (from_a, from_b) = (a.clone(), b.clone());
        let (x, y) = (a.next(), b.next());
        if x.is_some() && x == y {
            continue;
        }
        let wrong = || x.is_some() && y.is_some() && a.clone().eq(b.clone());
        let swapped = || {
            let (mut a, mut b) = (a.clone(), b.clone());
            x.is_some() && y.is_some() && a.next() == y && b.next() == x && a.eq(b)
        };
        let too_many = || x.is_some() && a.clone().eq(from_b);
        let too_few = || y.is_some() && b.clone().eq(from_a);
        return wrong() || swapped() || too_many() || too_few();
    }
}

/// `, did you mean `x``, or nothing: to be put behind the word that is not known.
///
/// Only what the reader may know of belongs into `candidates`.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|near| format!(", did you mean `{near}`")).unwrap_or_default()
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
            assert_eq!(slip(typed, known), expected, "{typed}");
        }
        assert_eq!(slip(&"a".repeat(5000), ["aaa"]), None);
    }

    #[test]
    fn a_hint_is_a_part_of_a_sentence_or_nothing() {
        assert_eq!(did_you_mean("requset", ["request"]), ", did you mean `request`");
        assert_eq!(did_you_mean("frobnicate", ["request"]), "");
    }

    proptest! {
        #[test]
        fn a_slip_is_a_distance_of_one(a in "[a-c]{0,6}", b in "[a-c]{0,6}") {
            prop_assert_eq!(slipped(&a, &b), distance(&chars(&a), &chars(&b)) == 1);
        }

        #[test]
        fn distance_is_symmetric_and_zero_only_for_equals(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
            let there = distance(&chars(&a), &chars(&b));
            prop_assert_eq!(there, distance(&chars(&b), &chars(&a)));
            prop_assert_eq!(there == 0, a == b);
            prop_assert!(there <= a.len().max(b.len()));
        }
    }
}
