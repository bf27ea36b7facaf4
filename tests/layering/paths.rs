//! Finds the paths that Rust source names, as far as the layering needs it: what follows `crate::`, `super::…` and
//! the name of a library. Comments are left out, because documentation may point anywhere; strings are not told
//! from code, and macros are taken as they are written.

/// Source without comments.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let end = comment(line).unwrap_or(line.len());
        code.push_str(&line[..end]);
        code.push('\n');
    }
    code
}

/// Where a line's comment begins. `//` inside a string (`https://`) follows a colon or stands after a quote.
fn comment(line: &str) -> Option<usize> {
    line.match_indices("//").map(|(at, _)| at).find(|at| {
        let before = &line[..*at];
        !before.ends_with(':') && before.matches('"').count().is_multiple_of(2)
    })
}

/// The first names of all paths that start with `root::`, groups opened: `root::{a::b, c}` gives `a` and `c`.
pub(crate) fn after(code: &str, root: &str) -> Vec<String> {
    let mut found = Vec::new();
    let wanted = format!("{root}::");
    for (at, _) in code.match_indices(&wanted) {
        let before = code[..at].chars().last();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue; // the tail of another name or path
        }
        found.extend(first_names(&code[at + wanted.len()..]));
    }
    found
}

/// Names reached by `n` times `super::`, with `n` at least `depth`: they lie beside the file's top module.
pub(crate) fn above(code: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("super::") {
        let mut tail = &rest[at..];
        let mut count = 0;
        while let Some(next) = tail.strip_prefix("super::") {
            (tail, count) = (next, count + 1);
        }
        if count >= depth {
            found.extend(first_names(tail));
        }
        rest = tail;
    }
    found
}

fn first_names(tail: &str) -> Vec<String> {
    let Some(group) = tail.strip_prefix('{') else {
        return name(tail).into_iter().collect();
    };
    let mut names = Vec::new();
    let (mut depth, mut start) = (0_u32, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if depth == 0 && start && !c.is_whitespace() => {
                names.extend(name(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}
