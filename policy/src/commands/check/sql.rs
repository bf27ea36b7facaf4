//! Database clients: one statement that only reads, and a session that could not do otherwise.
//!
//! Two things together: the statement is of a kind that reads, and the client is told to make its session read-only, so
//! that a function that writes fails at the server. Where its guarantee ends: what a function reads on the server's own
//! machine is refused by name only ([`functions`]).

mod functions;

use functions::{Engine, reaches_out};

use super::starts;
use crate::commands::facts::{Access, Facts};

const ADVICE: &str = "one statement that reads: SELECT, SHOW, EXPLAIN, TABLE, VALUES";

/// Words that change something, wherever they stand in a statement.
const CHANGES: &str = "insert update delete merge truncate drop create alter grant revoke copy call do execute prepare lock vacuum analyze cluster reindex refresh \
    listen notify load discard reset set begin start commit rollback savepoint declare fetch move close import attach detach pragma replace into outfile dumpfile \
    handler uescape install uninstall kill shutdown flush rename source system delimiter";
/// Encodings in which no byte of a longer character is one of ASCII's.
const ENCODINGS: [&str; 6] = ["utf8mb4", "utf8mb3", "utf8", "latin1", "ascii", "binary"];

/// Why a statement might do more than read.
fn writes(sql: &str, engine: Engine) -> Option<String> {
    let firsts: &[&str] = match engine {
        Engine::Postgres => &["select", "show", "explain", "table", "values", "with"],
        Engine::Mysql => &["select", "show", "describe", "desc", "explain"],
        Engine::Sqlite => &["select", "explain", "values", "with"],
    };
    let sql = sql.trim();
    let sql = sql.strip_suffix(';').unwrap_or(sql).trim_end();
    if sql.contains('\\') || sql.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Some("has `\\`, which is a command to the client".to_owned());
    }
    if sql.contains("/*") || sql.contains("--") || sql.contains('#') && !sql.contains("#>") {
        return Some("has a comment".to_owned());
    }
    if engine == Engine::Mysql && swallowed(sql) {
        return Some("has a backquote behind a character that could swallow it".to_owned());
    }
    let words = match words(sql) {
        Ok(words) => words,
        Err(why) => return Some(why.to_owned()),
    };
    let first = words.first().map(|word| word.text.as_str()).unwrap_or_default();
    if !firsts.contains(&first) {
        return Some(if first.is_empty() { "is empty".to_owned() } else { format!("begins with `{first}`") });
    }
    // `with recursive a(x) as …` names columns there and calls nothing.
    let recursive = words.get(1).is_some_and(|word| word.text == "recursive");
    let named = (first == "with").then_some(if recursive { 2 } else { 1 });
    for (at, Word { text, called }) in words.iter().enumerate().skip(1) {
        if CHANGES.split_whitespace().any(|change| change == text) && !(first == "show" && text != "into") {
            return Some(format!("has `{text}`"));
        }
        if glued(text) {
            return Some(format!("has `{text}`, a number with more behind it"));
        }
        if let Some(why) = reaches_out(engine, text, *called && named != Some(at)) {
            return Some(why);
        }
    }
    None
}

/// Whether a backquote could be the second half of a character to a server that reads another encoding than was written
/// (GBK, Shift-JIS): then what follows it is not what it seems.
fn swallowed(sql: &str) -> bool {
    sql.chars().zip(sql.chars().skip(1)).any(|(before, c)| c == '`' && !before.is_ascii())
}

/// Whether a word is a number and something else: some servers read two words there.
fn glued(word: &str) -> bool {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let exponent = rest.strip_prefix('e').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    let hexadecimal = word.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    rest.len() < word.len() && !rest.is_empty() && !exponent && !hexadecimal
}

/// A word of a statement, small.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    text: String,
    /// A bracket follows it.
    called: bool,
}

impl Word {
    const fn new(text: String) -> Self {
        Self { text, called: false }
    }
}

/// All words outside of strings; names in double quotes and backquotes too, since they may be functions.
fn words(sql: &str) -> Result<Vec<Word>, &'static str> {
    let mut words: Vec<Word> = Vec::new();
    let mut word = String::new();
    // Nothing but blanks since the last word.
    let mut right_behind = false;
    let mut rest = sql.chars();
    while let Some(c) = rest.next() {
        if c.is_alphanumeric() || c == '_' {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            words.push(Word::new(std::mem::take(&mut word)));
            right_behind = true;
        }
        match c {
            // `''` closes and opens again, which comes to the same.
            '\'' if !rest.any(|c| c == '\'') => return Err("has a string without an end"),
            // Names, or other servers' strings: their words count, so that a quote within hides nothing behind it.
            '"' | '`' => {
                quoted(&mut rest, c, &mut words)?;
                right_behind = true;
                continue;
            }
            '[' if rest.clone().take_while(|c| *c != ']').any(|c| matches!(c, '\'' | '"' | '`' | ';')) => {
                return Err("has a quote within brackets");
            }
            // SQLite's names: what is called there is its last word.
            ']' => {
                right_behind = true;
                continue;
            }
            // Old servers take `1.e` for a number of its own, and what follows for another word.
            '.' if right_behind
                && words.last().is_some_and(|word| word.text.bytes().all(|byte| byte.is_ascii_digit()))
                && rest.clone().next().is_some_and(char::is_alphabetic) =>
            {
                return Err("has a number with more behind it");
            }
            ';' => return Err("has more than one statement"),
            '$' => return Err("has `$`, which quotes what cannot be read here"),
            '(' if right_behind => {
                words.iter_mut().next_back().into_iter().for_each(|word| word.called = true)
            }
            _ => {}
        }
        right_behind &= c.is_whitespace();
    }
    if !word.is_empty() {
        words.push(Word::new(word));
    }
    Ok(words)
}

/// Up to the closing quote; everything within as words.
fn quoted(rest: &mut std::str::Chars<'_>, quote: char, words: &mut Vec<Word>) -> Result<(), &'static str> {
    let mut text = String::new();
    for c in rest.by_ref() {
        if c == quote {
            let parts =
                text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty());
            words.extend(parts.map(|part| Word::new(part.to_owned())));
            return Ok(());
        }
        text.extend(c.to_lowercase());
    }
    Err("has a quoted name without an end")
}

/// What a client was given with a flag.
fn given(facts: &Facts, flag: &str) -> Vec<String> {
    facts
        .seen
        .iter()
        .filter(|seen| seen.is(flag))
        .map(|seen| seen.value.clone().unwrap_or_default())
        .collect()
}

/// A database's name, not a string of settings.
fn plain_database(name: &str) -> bool {
    let url = name.strip_prefix("postgres://").or_else(|| name.strip_prefix("postgresql://"));
    match url {
        Some(rest) => !rest.contains(['?', ' ', '%']),
        None => !name.contains(['=', ' ', '/']),
    }
}

pub(super) fn psql(facts: &mut Facts) {
    facts.closed =
        Some((&["env", "PGOPTIONS=-c default_transaction_read_only=on"], &["-X", "-P", "pager=off"]));
    let statements = given(facts, "-c");
    let asks = ["-l", "--help", "--version"].iter().any(|flag| facts.seen.iter().any(|seen| seen.is(flag)));
    if let Some(name) =
        given(facts, "-d").into_iter().chain(facts.operands.clone()).find(|name| !plain_database(name))
    {
        return starts(
            facts,
            format!("`{name}` could bring settings of its own"),
            "name the database, and the host with `-h`",
        );
    }
    match statements.as_slice() {
        [] if asks => {}
        [] => starts(
            facts,
            "psql without `-c` takes commands that start programs (`\\!`)",
            "`psql -c 'SELECT …'`",
        ),
        [one] => {
            if let Some(why) = describe(one).unwrap_or_else(|| writes(one, Engine::Postgres)) {
                starts(facts, format!("this statement {why}"), ADVICE);
            }
        }
        _ => starts(facts, "more than one `-c`", ADVICE),
    }
}

/// `\dt`, `\l`, `\conninfo`: psql's commands that only describe. `None` where it is none of psql's commands.
fn describe(text: &str) -> Option<Option<String>> {
    let command = text.trim().strip_prefix('\\')?;
    let mut words = command.split(' ');
    let name = words.next().unwrap_or_default();
    let known = name == "conninfo"
        || name == "l"
        || name == "l+"
        || (name.starts_with('d')
            && name.len() < 8
            && name.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '+')));
    let plain =
        words.all(|word| word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '*')));
    Some((!(known && plain)).then(|| "is a command to psql that is not read here".to_owned()))
}

pub(super) fn mysql(facts: &mut Facts) {
    // A server that somebody names may ask the client for files; and where a backquote ends depends on the encoding.
    facts.closed = Some((
        &[],
        &[
            "--init-command=SET SESSION TRANSACTION READ ONLY",
            "--local-infile=0",
            "--default-character-set=utf8mb4",
        ],
    ));
    let statements = given(facts, "-e");
    let encodings = given(facts, "--default-character-set");
    if let Some(other) = encodings.iter().find(|one| !ENCODINGS.contains(&one.as_str())) {
        return starts(
            facts,
            format!("in the encoding `{other}` a statement may mean something else than it says"),
            "`--default-character-set=utf8mb4`, or leave it out",
        );
    }
    if facts.seen.iter().any(|seen| seen.is("--help") || seen.is("--version")) {
        return;
    }
    match statements.as_slice() {
        [one] => {
            let text = one.trim_end();
            let text = text.strip_suffix("\\G").or_else(|| text.strip_suffix("\\g")).unwrap_or(text);
            let problem = if text.contains('\n') {
                Some("has several lines".to_owned())
            } else {
                writes(text, Engine::Mysql)
            };
            if let Some(why) = problem {
                starts(facts, format!("this statement {why}"), ADVICE);
            }
        }
        [] => starts(
            facts,
            "mysql without `-e` takes commands that start programs (`\\!`)",
            "`mysql -e 'SELECT …'`",
        ),
        _ => starts(facts, "more than one `-e`", ADVICE),
    }
}

pub(super) fn sqlite(facts: &mut Facts) {
    facts.closed = Some((&[], &["-batch", "-readonly"]));
    if facts.seen.iter().any(|seen| seen.is("-help") || seen.is("-version")) {
        return;
    }
    let operands = facts.operands.clone();
    facts.touched.clear();
    match operands.as_slice() {
        [file, statement] => {
            if file.to_ascii_lowercase().starts_with("file:") || file.starts_with('-') {
                return starts(facts, "an address of a file has settings of its own", "name the file");
            }
            let place = facts.argv.iter().position(|word| word == file).map(|at| (at, 0));
            facts.path(file, Access::Read, place);
            let problem = if statement.trim_start().starts_with('.') {
                Some("is a command to sqlite3".to_owned())
            } else {
                writes(statement, Engine::Sqlite)
            };
            if let Some(why) = problem {
                starts(facts, format!("this statement {why}"), ADVICE);
            }
        }
        _ => starts(
            facts,
            "without exactly one statement sqlite3 takes commands that start programs (`.shell`)",
            "`sqlite3 FILE 'SELECT …'`",
        ),
    }
}

#[cfg(test)]
mod tests;
