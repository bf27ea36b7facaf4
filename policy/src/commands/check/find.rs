//! find: where it begins, what it tests, and what it starts or writes.

use super::{starts, unknowable};
use crate::commands::facts::{Access, Facts};
use crate::commands::flags::Seen;

/// Tests and actions without a value.
const ALONE: &str = "-daystart -depth -d -follow -ignore_readdir_race -noignore_readdir_race -mount -xdev -noleaf -warn -nowarn -empty -executable -readable -writable \
    -false -true -nogroup -nouser -print -print0 -ls -prune -quit -not -and -a -o -or -help -version -H -L -P";
/// Those with a value that is no path.
const TEXT: &str = "-maxdepth -mindepth -regextype -amin -atime -cmin -ctime -fstype -gid -group -ilname -iname -inum -ipath -iregex -iwholename -links -lname -mmin \
    -mtime -name -path -perm -regex -size -type -uid -used -user -wholename -xtype -context -printf -newermt -newerat -newerct";
/// Those with a file that is looked at.
const READS: &str = "-newer -anewer -cnewer -samefile -neweraa -newerac -neweram -newerca -newercc -newercm -newerma -newermc -newermm";
/// Those with a file that is written, and how many values they have.
const WRITES: [(&str, usize); 4] = [("-fprint", 1), ("-fprint0", 1), ("-fls", 1), ("-fprintf", 2)];

fn has(table: &str, word: &str) -> bool {
    table.split_whitespace().any(|name| name == word)
}

pub(super) fn look(facts: &mut Facts) {
    // The usual reading of words does not apply: begin again.
    facts.seen.clear();
    facts.touched.clear();
    facts.operands.clear();
    let words: Vec<String> = facts.argv.iter().skip(1).cloned().collect();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if matches!(word.as_str(), "-H" | "-L" | "-P") || word.starts_with("-O") {
            facts.seen.push(Seen::mark(word, None));
            at += 1;
        } else if word == "-D" {
            at += 2;
        } else if word.starts_with('-') || matches!(word.as_str(), "(" | ")" | "!" | ",") {
            break;
        } else {
            facts.operands.push(word.clone());
            facts.path(word, Access::Read, Some((at + 1, 0)));
            at += 1;
        }
    }
    if facts.operands.is_empty() {
        facts.operands.push(".".to_owned());
        facts.path(".", Access::Read, None);
    }
    expression(facts, &words, at);
}

fn expression(facts: &mut Facts, words: &[String], mut at: usize) {
    while let Some(word) = words.get(at) {
        at += 1;
        let value = words.get(at);
        match word.as_str() {
            "(" | ")" | "!" | "," => {}
            "-delete" => {
                facts.seen.push(Seen::mark(word, None));
                facts.flag_writes.push(word.clone());
                for start in facts.operands.clone() {
                    let before = std::mem::replace(&mut facts.deep, true);
                    facts.path(&start, Access::Write, None);
                    facts.deep = before;
                }
            }
            "-exec" | "-execdir" | "-ok" | "-okdir" => {
                facts.seen.push(Seen::mark(word, None));
                let rest = words.get(at..).unwrap_or_default();
                let end = rest.iter().enumerate().position(|(index, word)| {
                    word == ";"
                        || (word == "+" && index > 0 && rest.get(index - 1).is_some_and(|word| word == "{}"))
                });
                let Some(inner) = end.and_then(|end| rest.get(..end)).filter(|inner| !inner.is_empty())
                else {
                    return unknowable(
                        facts,
                        format!("`{word}` of find has no end"),
                        "end it with `\\;` or `+`",
                    );
                };
                at += inner.len() + 1;
                nest(facts, word, inner);
            }
            _ if WRITES.iter().any(|(name, _)| name == word) => {
                facts.seen.push(Seen::mark(word, None));
                facts.flag_writes.push(word.clone());
                let values = WRITES.iter().find(|(name, _)| name == word).map_or(1, |(_, values)| *values);
                if let Some(file) = value {
                    facts.path(file, Access::Write, Some((at + 1, 0)));
                }
                at += values;
            }
            _ if has(READS, word) => {
                facts.seen.push(Seen::mark(word, value.map(String::as_str)));
                if let Some(file) = value {
                    facts.path(file, Access::Read, Some((at + 1, 0)));
                }
                at += 1;
            }
            _ if has(TEXT, word) => {
                facts.seen.push(Seen::mark(word, value.map(String::as_str)));
                at += 1;
            }
            _ if has(ALONE, word) => facts.seen.push(Seen::mark(word, None)),
            _ => return starts(facts, format!("`{word}` of find is not known here"), "leave it out"),
        }
    }
}

/// A command for each file that is found: judged as if it got all of where find begins.
fn nest(facts: &mut Facts, how: &str, inner: &[String]) {
    if inner.first().is_some_and(|program| program.contains("{}")) {
        return unknowable(facts, "find would start whatever it finds", "name the program");
    }
    if !inner.iter().any(|word| word.contains("{}")) {
        let program = inner.first().map(String::as_str).unwrap_or_default();
        return unknowable(
            facts,
            format!("find would start `{program}` for each file alike: it has no `{{}}`"),
            "type the command itself",
        );
    }
    if how.ends_with("dir") {
        // `./NAME` in each file's own directory: only what is found, and only as a path.
        let relative = inner
            .iter()
            .skip(1)
            .any(|word| !word.starts_with(['-', '/']) && word.contains('/') && !word.contains("{}"));
        if relative {
            return unknowable(
                facts,
                "relative paths mean something else in every directory",
                "write whole paths",
            );
        }
    }
    for start in facts.operands.clone() {
        let start = super::super::paths::normal(&start, facts.directory.as_deref()).unwrap_or(start);
        facts.nested.push(inner.iter().map(|word| word.replace("{}", &start)).collect());
    }
}
