//! The file of lines: one case on each, invisible characters written out.

/// A line, and what is expected of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// Where it stands in the file.
    pub(crate) number: usize,
    /// As it stands there.
    pub(crate) written: String,
    /// As it would be typed.
    pub(crate) line: String,
    pub(crate) expected: String,
    /// Shells that make something else of it, for a reason.
    pub(crate) differs: Vec<String>,
}

const SEPARATOR: &str = "  =>  ";

/// `None` where a line of the file is no case.
fn case(number: usize, text: &str) -> Option<Case> {
    if text.is_empty() || text.starts_with("##") {
        return None;
    }
    let (written, rest) = text.split_once(SEPARATOR).unwrap_or((text, ""));
    let mut differs = rest.split("  !");
    let expected = differs.next().unwrap_or_default().to_owned();
    let differs: Vec<String> = differs.map(str::to_owned).collect();
    for reason in &differs {
        let words: Vec<&str> = reason.split(' ').collect();
        assert!(
            matches!(words.as_slice(), ["bash" | "dash", _, ..]),
            "line {number}: `!{reason}` has no reason"
        );
    }
    Some(Case { number, written: written.to_owned(), line: decoded(written), expected, differs })
}

fn decoded(written: &str) -> String {
    let mut text = String::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("‹U+") {
        let (code, behind) = after.split_once('›').expect("a closed ‹U+…›");
        let code = u32::from_str_radix(code, 16).ok().and_then(char::from_u32).expect("a character's number");
        text.push_str(before);
        text.push(code);
        rest = behind;
    }
    text.push_str(rest);
    text.replace('␤', "\n").replace('␉', "\t")
}

/// How a text is written in the file.
pub(crate) fn written(text: &str) -> String {
    text.replace('\n', "␤").replace('\t', "␉")
}

pub(crate) fn cases(file: &str) -> Vec<Case> {
    file.lines().enumerate().filter_map(|(index, text)| case(index + 1, text)).collect()
}

/// The file with other expectations.
pub(crate) fn rewritten(file: &str, expected: impl Fn(&Case) -> String) -> String {
    let line = |(index, text): (usize, &str)| match case(index + 1, text) {
        None => text.to_owned(),
        Some(case) => {
            let differs: String = case.differs.iter().map(|reason| format!("  !{reason}")).collect();
            format!("{}{SEPARATOR}{}{differs}", case.written, expected(&case))
        }
    };
    file.lines().enumerate().map(line).collect::<Vec<_>>().join("\n") + "\n"
}
