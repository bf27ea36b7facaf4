//! What flags and paths do not say: texts that programs run, and words whose meaning depends on their place.

mod awk;
mod find;
mod ps;
mod redis;
mod sed;
mod small;
mod sql;

use super::facts::{Facts, Stop};
use super::flags::Seen;
use super::programs::{Check, Known};

/// Looks at what the table says has to be looked at. `operands` is where they stand.
pub(super) fn look(facts: &mut Facts, known: &'static Known, operands: &[usize]) {
    match known.program.check {
        Check::None | Check::Shell => {}
        Check::Awk => awk::look(facts),
        Check::Sed => sed::look(facts),
        Check::Find => find::look(facts),
        Check::Ps => ps::look(facts),
        Check::Ip => small::ip(facts),
        Check::Sets(allowed) => small::sets(facts, allowed),
        Check::Plus => small::plus(facts),
        Check::Psql => sql::psql(facts),
        Check::Mysql => sql::mysql(facts),
        Check::Sqlite => sql::sqlite(facts),
        Check::Redis => redis::look(facts),
        Check::Jcmd => small::jcmd(facts),
        Check::Jq => small::jq(facts),
        Check::Getent => small::getent(facts),
        Check::Tar => small::tar(facts, operands),
        Check::Who => small::who(facts),
        Check::Sar => small::sar(facts),
        Check::Terminal => small::terminal(facts),
        Check::Url => small::url(facts),
    }
    if facts.name == "dd" {
        small::dd(facts);
    }
    small::elsewhere(facts);
}

/// It changes something that is not a file: rules without flags do not let it pass.
fn changes(facts: &mut Facts, what: &str) {
    facts.seen.push(Seen::mark(":change", Some(what)));
}

fn starts(facts: &mut Facts, why: impl Into<String>, instead: &str) {
    if facts.starts.is_none() {
        facts.starts = Some(Stop::new(why, instead));
    }
}

fn unknowable(facts: &mut Facts, why: impl Into<String>, instead: &str) {
    if facts.unknowable.is_none() {
        facts.unknowable = Some(Stop::new(why, instead));
    }
}
