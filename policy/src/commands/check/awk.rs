//! awk: a language with `system`, pipes and files. A small part of it, letter by letter, surely has none of them.

use super::starts;
use crate::commands::facts::Facts;

const ADVICE: &str = "of awk, print, comparisons before `{`, and arithmetic are let through; otherwise use `grep`, `cut` or `sed`";

/// Words that reach out of the program.
const WORDS: [&str; 15] = [
    "system",
    "getline",
    "close",
    "fflush",
    "ARGV",
    "ARGC",
    "ARGIND",
    "ENVIRON",
    "SYMTAB",
    "FUNCTAB",
    "PROCINFO",
    "extension",
    "function",
    "func",
    "BINMODE",
];

pub(super) fn look(facts: &mut Facts) {
    let bad_name = |text: &str| WORDS.iter().any(|word| text.starts_with(word));
    let assigned =
        facts.seen.iter().filter(|seen| seen.is("-v")).filter_map(|seen| seen.value.as_deref()).any(bad_name);
    let operand = facts.operands.iter().skip(1).any(|operand| bad_name(operand));
    let text = facts.operands.first().cloned().unwrap_or_default();
    if let Some(why) = reaches_out(&text) {
        starts(facts, format!("this awk program {why}, and so could start others or write files"), ADVICE);
    } else if assigned || operand {
        starts(facts, "this assignment gives awk other files to read", ADVICE);
    }
}

/// Why a program could do more than print; `None` where it surely cannot.
fn reaches_out(text: &str) -> Option<&'static str> {
    if !text.bytes().all(|byte| byte == b'\n' || byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return Some("has characters beyond ASCII");
    }
    if text.contains('@') || text.contains('`') {
        return Some("has `@`");
    }
    // An identifier cannot be cut in two by a line that goes on, except here.
    if text.contains("\\\n") {
        return Some("goes on over a line's end");
    }
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    if words.any(|word| WORDS.contains(&word)) {
        return Some("has a word that reaches out of it");
    }
    if text.replace("||", "").contains('|') {
        return Some("has a pipe");
    }
    // `>` compares in a pattern; behind `print` it names a file.
    let printing = text.find("print").unwrap_or(text.len());
    let braced = text.find('{').unwrap_or(text.len());
    let first = printing.min(braced);
    if text.get(first..).is_some_and(|rest| rest.contains('>')) {
        return Some("has `>` behind `{` or `print`");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::reaches_out;

    #[test]
    fn a_program_that_only_prints_is_let_through() {
        for fine in [
            "{print $1}",
            "$3 > 100 {print $1, $2}",
            "/ERROR/ {n++} END {print n}",
            "{s += $5} END {print s/NR}",
            "$9 == 500 || $9 == 502",
            "BEGIN{FS=\":\"} {printf \"%s %s\\n\", $1, $2}",
            "length($0) > 80",
            "NR % 2",
            "{ if ($2 < 3) print substr($0, 1, 10) }",
        ] {
            assert_eq!(reaches_out(fine), None, "{fine}");
        }
    }

    #[test]
    fn a_program_that_could_do_more_is_not() {
        for bad in [
            "BEGIN{system(\"id\")}",
            "{print | \"sh\"}",
            "BEGIN{\"id\" | getline x}",
            "{print > \"/tmp/x\"}",
            "{print >> \"/tmp/x\"}",
            "{print $1 |& \"x\"}",
            "BEGIN{getline < \"/etc/shadow\"}",
            "@load \"filefuncs\"",
            "BEGIN{f=\"system\"; @f(\"id\")}",
            "BEGIN{ARGV[1]=\"/etc/shadow\"; ARGC=2}",
            "BEGIN{print ENVIRON[\"TOKEN\"]}",
            "{ if ($3 > 1) print }",
            "BEGIN{sys\\\ntem(\"id\")}",
            "1 {pr\u{131}nt}",
            "a|b",
        ] {
            assert!(reaches_out(bad).is_some(), "{bad}");
        }
    }
}
