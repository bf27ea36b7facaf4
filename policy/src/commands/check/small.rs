//! Programs of which one word more has to be known.

use super::{changes, starts, unknowable};
use crate::commands::facts::{Access, Facts};

/// `ip OBJECT VERB`: only verbs that show, and only objects without secrets or programs.
pub(super) fn ip(facts: &mut Facts) {
    const OBJECTS: &str = "a ad addr addre addres address l li lin link r ro rou rout route n ne nei neigh neighb neighbo neighbor neighbour ru rul rule m ma mad madd maddr \
        maddress mr mro mrou mrout mroute ntable tcp_metrics token stats";
    const VERBS: &str = "sh sho show ls lst li lis list get";
    let has = |table: &str, word: &str| table.split_whitespace().any(|name| name == word);
    let mut words = facts.operands.iter();
    let object = words.next().cloned().unwrap_or_default();
    let verb = words.next().cloned();
    if matches!(object.as_str(), "netns" | "netn" | "vrf" | "vr" | "v") || object.starts_with("net") {
        starts(facts, "`ip netns` and `ip vrf` start programs", "`ip addr show`");
    } else if !object.is_empty() && (!has(OBJECTS, &object) || verb.is_some_and(|verb| !has(VERBS, &verb))) {
        changes(facts, "the network");
    }
}

/// `hostname NAME`, `date 0101`: any operand that does not begin with this character changes something. For `=`: any
/// that has one in it.
pub(super) fn sets(facts: &mut Facts, allowed: char) {
    let setting = match allowed {
        '=' => facts.operands.iter().any(|word| word.contains('=')),
        _ => facts.operands.iter().any(|word| !word.starts_with(allowed)),
    };
    if setting {
        changes(facts, "the machine");
    }
}

/// `+COMMAND` of less and vim: typed into it when it begins.
pub(super) fn plus(facts: &mut Facts) {
    let typed = facts.operands.iter().find(|word| {
        word.strip_prefix('+').is_some_and(|command| {
            let jump =
                matches!(command, "" | "G" | "F" | "g") || command.bytes().all(|byte| byte.is_ascii_digit());
            let chained = command.contains('|') || command.chars().any(char::is_control);
            !jump && (chained || !command.starts_with(['/', '?']))
        })
    });
    if let Some(typed) = typed.cloned() {
        starts(
            facts,
            format!("`{typed}` is a command to `{}`, which it would do as it begins", facts.name),
            "`+G`, `+F`, `+/TEXT`",
        );
    }
    facts.touched.retain(|touched| !touched.written.starts_with('+'));
}

/// `jcmd PID COMMAND`: what only reports.
pub(super) fn jcmd(facts: &mut Facts) {
    const REPORTS: &str = "help Thread.print GC.class_histogram GC.heap_info GC.finalizer_info GC.class_stats VM.uptime VM.version VM.flags VM.info VM.native_memory VM.metaspace \
        VM.classloaders VM.classloader_stats VM.stringtable VM.symboltable VM.events VM.dynlibs VM.systemdictionary Compiler.queue Compiler.codecache Compiler.codelist JFR.check \
        PerfCounter.print VM.log VM.class_hierarchy Compiler.directives_print Thread.vthread_scheduler";
    let mut words = facts.operands.iter();
    let first = words.next().cloned().unwrap_or_default();
    let asks = matches!(first.as_str(), "-l" | "-h" | "-help" | "--help" | "-?");
    if (first.starts_with('-') && !asks) || facts.operands.iter().any(|word| word.starts_with("-J")) {
        return starts(facts, "`-J` hands orders to the JVM", "leave it out");
    }
    let Some(command) = words.next().cloned() else { return };
    if command == "-f" || facts.operands.iter().any(|word| word == "-f") {
        return starts(facts, "`jcmd -f` reads more commands from a file", "type them");
    }
    let reads = command == "-l" || REPORTS.split_whitespace().any(|name| name == command);
    // What these take is a detail of the report, but for files.
    let file = facts
        .operands
        .iter()
        .skip(2)
        .any(|word| word.contains('/') || word.contains("file") || word.contains('.'));
    if !reads || file || (command == "VM.log" && facts.operands.len() > 2) {
        changes(facts, &command);
        for word in facts.operands.clone().iter().skip(2) {
            facts.possible(word);
        }
    }
}

/// jq: a language that sees the environment and loads modules.
pub(super) fn jq(facts: &mut Facts) {
    let text = facts.operands.first().cloned().unwrap_or_default();
    let reaches = ["env", "ENV", "import", "include", "input_filename", "get_search_list", "modulemeta"];
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    // In a text, `\u0065nv` is a text and no word of the language.
    if words.any(|word| reaches.contains(&word)) {
        starts(
            facts,
            "this jq program sees the environment, or loads modules",
            "name the fields: `.message`, `select(.level == \"error\")`",
        );
    }
}

/// `getent shadow` is `/etc/shadow` by another name.
pub(super) fn getent(facts: &mut Facts) {
    let first = facts.operands.first().cloned().unwrap_or_default();
    if first.ends_with("shadow") {
        facts.path(&format!("/etc/{first}"), Access::Read, None);
    }
}

/// `who am i` and `who mom likes`: any two words ask who one is.
pub(super) fn who(facts: &mut Facts) {
    if facts.name == "who" && facts.operands.len() == 2 {
        facts.touched.clear();
    }
}

/// sar: `-f`, `-o`, `-s` and `-e` are followed by another flag where they take no value, and then mean something else.
pub(super) fn sar(facts: &mut Facts) {
    let doubtful = facts.seen.iter().find(|seen| {
        let takes = seen.flag.is_some_and(|flag| flag.value.is_some());
        let number = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit());
        let file = seen.is("-f") || seen.is("-o");
        takes && seen.value.as_deref().is_none_or(|value| value.starts_with('-') || (file && number(value)))
    });
    if let Some(name) = doubtful.map(|seen| seen.name.clone()) {
        unknowable(
            facts,
            format!("which file `{name}` of `sar` means depends on the word behind it"),
            "write its value: `sar -f /var/log/sa/sa01`",
        );
    }
}

/// `tput init` and `tput reset` run what the terminal's description names.
pub(super) fn terminal(facts: &mut Facts) {
    if facts.operands.iter().any(|word| matches!(word.as_str(), "init" | "reset")) {
        starts(facts, "what makes a terminal ready can be a program", "`tput cols`, `tput lines`");
    }
}

/// tar: what is made is written; what is taken out could be links that lead anywhere.
pub(super) fn tar(facts: &mut Facts, operands: &[usize]) {
    let any =
        |facts: &Facts, names: &[&str]| facts.seen.iter().any(|seen| names.iter().any(|name| seen.is(name)));
    let _ = operands;
    facts.touched.clear();
    let writes = any(facts, &["-c", "-r", "-u", "-A", "--delete"]);
    let archives: Vec<(String, Option<(usize, usize)>)> = facts
        .seen
        .iter()
        .filter(|seen| seen.is("-f"))
        .filter_map(|seen| Some((seen.value.clone()?, seen.place)))
        .collect();
    for (archive, place) in archives {
        if archive.contains(':') {
            starts(facts, "an archive with `:` in its name is fetched from another machine", "name a file");
        }
        facts.path(&archive, if writes { Access::Write } else { Access::Read }, place);
    }
    for name in ["-X", "-g", "--index-file", "--volno-file"] {
        let values: Vec<String> =
            facts.seen.iter().filter(|seen| seen.is(name)).filter_map(|seen| seen.value.clone()).collect();
        for value in values {
            facts.path(&value, if name == "-X" { Access::Read } else { Access::Write }, None);
        }
    }
    if any(facts, &["-C"]) && !any(facts, &["-t"]) {
        unknowable(
            facts,
            "with `-C` it depends on their order which directory the names are in",
            "write whole paths",
        );
    }
    // The names of `tar t` are names within the archive.
    if writes || any(facts, &["-d"]) {
        facts.deep = true;
        for name in facts.operands.clone() {
            facts.path(&name, Access::Read, None);
        }
    } else if !any(facts, &["-t", "--help", "--version"]) {
        starts(
            facts,
            "what is taken out of an archive could be links that lead anywhere",
            "`tar tf FILE`; to bring files in, scp or sftp against the gateway",
        );
    }
}

/// curl and wget: only web addresses whose scheme and host stand there as they are.
pub(super) fn url(facts: &mut Facts) {
    let mut given = facts.operands.clone();
    given.extend(facts.seen.iter().filter(|seen| seen.is("--url")).filter_map(|seen| seen.value.clone()));
    for url in given {
        if url.starts_with('@') {
            return unknowable(
                facts,
                "the addresses would come from a file",
                "write `http://HOST:PORT/PATH`",
            );
        }
        let lower = url.to_ascii_lowercase();
        let rest = match lower.split_once("://") {
            Some(("http" | "https", rest)) => rest,
            Some(_) => {
                return unknowable(
                    facts,
                    format!("`{url}` is not http or https"),
                    "to see a file use `cat`; for other protocols ask for a tunnel",
                );
            }
            None => lower.as_str(),
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let scheme = host.split_once(':').is_some_and(|(name, port)| {
            !name.is_empty()
                && !name.contains(['[', '@'])
                && !port.bytes().all(|byte| byte.is_ascii_digit())
                && !port.contains('@')
        });
        let bracket =
            host.contains('[') && !host.split('@').next_back().is_some_and(|host| host.starts_with('['));
        if scheme
            || bracket
            || host.contains(['{', '}', '\\', '"', ' '])
            || host.is_empty()
            || host.starts_with('-')
        {
            return unknowable(
                facts,
                format!("which host `{url}` means cannot be known"),
                "write `http://HOST:PORT/PATH`",
            );
        }
    }
    let output = facts.seen.iter().any(|seen| {
        seen.is("-w")
            && seen.value.as_deref().is_some_and(|value| value.contains("%output") || value.starts_with('@'))
    });
    if output && facts.name == "curl" {
        unknowable(facts, "this `--write-out` names another file", "leave `%output` and `@` out");
    }
    let saves = facts.name != "curl"
        && !facts
            .seen
            .iter()
            .any(|seen| seen.is("-O") || seen.is("--spider") || seen.is("--help") || seen.is("--version"));
    let named =
        facts.name == "curl" && facts.seen.iter().any(|seen| seen.flag.is_some_and(|flag| flag.writes));
    if saves || named {
        if saves {
            facts.flag_writes.push("its saving".to_owned());
        }
        let here = facts.directory.clone().unwrap_or_else(|| ".".to_owned());
        let before = std::mem::replace(&mut facts.deep, true);
        facts.path(&here, Access::Write, None);
        facts.deep = before;
    }
}

/// Words that bring more words from a file, or lead to another machine.
pub(super) fn elsewhere(facts: &mut Facts) {
    let any = |fits: fn(&str) -> bool| facts.operands.iter().any(|word| fits(word));
    let (file, machine) = match facts.name.as_str() {
        "strings" | "jcmd" => (any(|word| word.starts_with('@')), false),
        "jps" => (false, !facts.operands.is_empty()),
        "jstat" | "jstack" | "jmap" | "jinfo" => (false, any(|word| word.contains(['@', ':', '/']))),
        _ => return,
    };
    if file {
        starts(facts, "`@` reads more words from a file", "write `./@…` for a file of that name");
    }
    if machine {
        unknowable(
            facts,
            format!("`{}` would load classes from another machine", facts.name),
            "name a process of this container by its number",
        );
    }
}

/// dd: `if=` and `of=`.
pub(super) fn dd(facts: &mut Facts) {
    for seen in facts.seen.clone() {
        let Some(value) = seen.value else { continue };
        match seen.name.as_str() {
            "if" => facts.path(&value, Access::Read, seen.place),
            "of" => facts.path(&value, Access::Write, seen.place),
            _ => {}
        }
    }
    for seen in &mut facts.seen {
        seen.checked = [
            "if", "of", "bs", "ibs", "obs", "count", "skip", "seek", "conv", "iflag", "oflag", "status",
            "cbs",
        ]
        .contains(&seen.name.as_str());
    }
}
