//! Database clients: one statement that only reads, and a session that could not do otherwise.
//!
//! Two things together: the statement is of a kind that reads, and the client is told to make its session read-only, so
//! that a function that writes fails at the server. Where its guarantee ends: what a function reads on the server's own
//! machine is refused by name only.

use super::starts;
use crate::commands::facts::{Access, Facts};

const ADVICE: &str = "one statement that reads: SELECT, SHOW, EXPLAIN, TABLE, VALUES";

/// Words that change something, wherever they stand in a statement.
const CHANGES: &str = "insert update delete merge truncate drop create alter grant revoke copy call do execute prepare lock vacuum analyze cluster reindex refresh \
    listen notify load discard reset set begin start commit rollback savepoint declare fetch move close import attach detach pragma replace into outfile dumpfile \
    handler uescape install uninstall kill shutdown flush rename source system delimiter";
/// Functions that reach out of the database, or undo what makes a session read-only.
const FUNCTIONS: [&str; 34] = [
    "pg_read_",
    "pg_ls_",
    "pg_stat_file",
    "lo_",
    "dblink",
    "set_config",
    "pg_terminate",
    "pg_cancel",
    "pg_reload",
    "pg_rotate",
    "pg_switch",
    "pg_create",
    "pg_drop",
    "pg_promote",
    "pg_wal_replay",
    "pg_logical_",
    "pg_replication_",
    "pg_advisory",
    "pg_file_",
    "pg_sleep",
    "query_to_xml",
    "table_to_xml",
    "schema_to_xml",
    "database_to_xml",
    "cursor_to_xml",
    "nextval",
    "setval",
    "load_file",
    "load_extension",
    "readfile",
    "writefile",
    "edit",
    "fts3_tokenizer",
    "sys_e",
];

/// Why a statement might do more than read.
fn writes(sql: &str, firsts: &[&str]) -> Option<String> {
    let sql = sql.trim();
    let sql = sql.strip_suffix(';').unwrap_or(sql).trim_end();
    if sql.contains('\\') || sql.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Some("has `\\`, which is a command to the client".to_owned());
    }
    if sql.contains("/*") || sql.contains("--") || sql.contains('#') && !sql.contains("#>") {
        return Some("has a comment".to_owned());
    }
    let words = match words(sql) {
        Ok(words) => words,
        Err(why) => return Some(why.to_owned()),
    };
    let first = words.first().map(String::as_str).unwrap_or_default();
    if !firsts.contains(&first) {
        return Some(if first.is_empty() { "is empty".to_owned() } else { format!("begins with `{first}`") });
    }
    for word in words.iter().skip(1) {
        if CHANGES.split_whitespace().any(|change| change == word) && !(first == "show" && word != "into") {
            return Some(format!("has `{word}`"));
        }
        if FUNCTIONS.iter().any(|function| word.starts_with(function)) {
            return Some(format!("has `{word}`, which reaches out of the database"));
        }
    }
    None
}

/// All words outside of strings, small; names in double quotes and backquotes too, since they may be functions.
fn words(sql: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = sql.chars();
    while let Some(c) = rest.next() {
        match c {
            // `''` closes and opens again, which comes to the same.
            '\'' if !rest.any(|c| c == '\'') => return Err("has a string without an end"),
            // Names, or other servers' strings: their words count, so that a quote within hides nothing behind it.
            '"' | '`' => quoted(&mut rest, c, &mut words)?,
            '[' if rest.clone().take_while(|c| *c != ']').any(|c| matches!(c, '\'' | '"' | '`' | ';')) => {
                return Err("has a quote within brackets");
            }
            ';' => return Err("has more than one statement"),
            '$' => return Err("has `$`, which quotes what cannot be read here"),
            c if c.is_alphanumeric() || c == '_' => {
                word.extend(c.to_lowercase());
                continue;
            }
            _ => {}
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

/// Up to the closing quote; everything within as words.
fn quoted(rest: &mut std::str::Chars<'_>, quote: char, words: &mut Vec<String>) -> Result<(), &'static str> {
    let mut text = String::new();
    for c in rest.by_ref() {
        if c == quote {
            let parts =
                text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty());
            words.extend(parts.map(str::to_owned));
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
            if let Some(why) = describe(one)
                .unwrap_or_else(|| writes(one, &["select", "show", "explain", "table", "values", "with"]))
            {
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
    facts.closed = Some((&[], &["--init-command=SET SESSION TRANSACTION READ ONLY"]));
    let statements = given(facts, "-e");
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
                writes(text, &["select", "show", "describe", "desc", "explain"])
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
                writes(statement, &["select", "explain", "values", "with"])
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
mod tests {
    use super::{describe, plain_database, writes};

    const FIRSTS: [&str; 6] = ["select", "show", "explain", "table", "values", "with"];

    #[test]
    fn statements_that_read_are_let_through() {
        for fine in [
            "select 1",
            "SELECT * FROM pg_stat_activity WHERE state <> 'idle';",
            "explain select 1",
            "show work_mem",
            "show create table t",
            "values (1)",
            "table t",
            "with a as (select 1) select * from a",
            "select 'drop table x; --'' ok'",
            "select count(*) from \"Orders\"",
            "select updated_at, deleted from t",
            "explain (format json) select 1",
        ] {
            let expected = fine.contains("--").then(|| "has a comment".to_owned());
            assert_eq!(writes(fine, &FIRSTS), expected, "{fine}");
        }
    }

    #[test]
    fn statements_that_could_change_something_are_not() {
        for bad in [
            "",
            ";",
            "delete from t",
            "select 1; drop table t",
            "with a as (delete from t returning *) select * from a",
            "copy t to program 'id'",
            "select * into x from t",
            "SELECT pg_read_file('/etc/passwd')",
            "select \"pg_read_file\"('x')",
            "select lo_export(1,'/tmp/x')",
            "select set_config('a','b',false)",
            "explain analyze delete from t",
            "select 1 \\g |id",
            "select 1 /* x */",
            "select 1 -- x",
            "select $$;$$",
            "select 'x",
            "do $$ begin end $$",
            "set role admin",
            "select load_extension('x')",
            "select 1 into outfile '/tmp/x'",
            "select pg_sleep(1000)",
            "call f()",
            "pragma writable_schema=1",
            "select edit('x')",
            "select 1 as \"'\", pg_read_file(chr(47)) as \"'\"",
            "select \"'\", load_file(0x2f), \"'\"",
            "select 1 as `'`, load_file(0x2f) as `'`",
            "select 1 as ['], readfile(char(47)) as [']",
            "select U&\"!0070g_read_file\" uescape '!' (chr(47))",
            "select 1$$'$$",
            "select writefile('a','b')",
        ] {
            assert!(writes(bad, &FIRSTS).is_some(), "{bad}");
        }
    }

    #[test]
    fn of_psqls_own_commands_only_those_that_describe_are_let_through() {
        for fine in ["\\dt", "\\d+ public.orders", "\\l", "\\conninfo", "\\dt *.*"] {
            assert_eq!(describe(fine), Some(None), "{fine}");
        }
        for bad in [
            "\\! id",
            "\\o |id",
            "\\dt `id`",
            "\\copy t to x",
            "\\i x",
            "\\x",
            "\\dt :x",
            "\\d\\! id",
            "\\set x `id`",
            "\\w x",
            "\\edit",
            "\\gexec",
        ] {
            assert!(matches!(describe(bad), Some(Some(_))), "{bad}");
        }
        assert_eq!(describe("select 1"), None);
    }

    #[test]
    fn a_database_is_a_name_and_not_settings() {
        assert!(plain_database("orders") && plain_database("postgres://app@db:5432/orders"));
        for bad in [
            "options=-cdefault_transaction_read_only=off",
            "dbname=x",
            "postgres://db/x?options=-c",
            "service=x y",
        ] {
            assert!(!plain_database(bad), "{bad}");
        }
    }
}
