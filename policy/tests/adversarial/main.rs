//! Ways around command rules, each with a name: none gets through the boundary.
//!
//! An attempt is a line of `attempts.txt`: its name, how it is made, and its text. `shell` is typed into the guarded shell
//! (parsed, expanded, judged: every command of it), `exec` is words by blanks, `bytes` is what arrives before it is text.
//! `named` is typed as well, where a rule allows its program and says nothing more.
//! Escapes are Rust's (`\u{200b}`, `\x00`, `\n`, `\\`). Behind ` => ` stands what runs instead where the attempt is made
//! harmless rather than refused.

#![expect(clippy::expect_used, clippy::panic, reason = "a failed expectation is a panic with a sentence")]

use std::collections::HashSet;

use sallyport_policy::commands::{Commands, CommandsInput, Invocation, Made, RuleInput, Way};
use sallyport_policy::line::{Variables, expand, parse};

const ATTEMPTS: &str = include_str!("attempts.txt");
/// Where the person is, and what lies there: names that would be flags.
const HERE: &str = "/app/wild";
const NAMES: [&str; 8] = [
    "--checkpoint=1",
    "--checkpoint-action=exec=sh x",
    "-rf",
    "--to-command=sh",
    "-exec",
    "--compress-program=sh",
    "x",
    "--reference=x",
];

struct Container;

impl Variables for Container {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "HOME" => Some("/root"),
            "PWD" => Some(HERE),
            "SHELL" => Some("/bin/bash"),
            "SECRETS" => Some("/var/run/secrets"),
            "TWO" => Some("/var/log/a /etc/shadow"),
            "?" => Some("0"),
            _ => None,
        }
    }
}

fn rule(programs: &[&str]) -> RuleInput {
    RuleInput { programs: words(programs), ..RuleInput::default() }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The sets, and rules as people write them.
fn rules() -> Commands {
    let input = CommandsInput {
        sets: words(&["observe", "debug", "database-read"]),
        allow: vec![
            RuleInput {
                writes: Some(words(&["/tmp/**"])),
                ..rule(&[
                    "tar", "cp", "mv", "rm", "tee", "touch", "split", "csplit", "gzip", "dd", "install",
                    "chmod", "mkdir",
                ])
            },
            RuleInput {
                writes: Some(words(&["/app/wild/**"])),
                reads: Some(words(&["/app/**"])),
                ..rule(&["sort", "ln"])
            },
            RuleInput {
                flags: Some(words(&["-a", "--mode=fast"])),
                args: Some(words(&["status", "list"])),
                ..rule(&["/app/bin/tool"])
            },
            RuleInput { reads: Some(words(&["/app/**"])), ..rule(&["view"]) },
            RuleInput {
                flags: Some(words(&["-n", "-r"])),
                reads: Some(words(&["/app/**"])),
                ..rule(&["grep", "diff", "file"])
            },
        ],
        deny: vec![RuleInput { args: Some(words(&[".*internal.*"])), ..rule(&["curl", "wget"]) }],
        ..CommandsInput::default()
    };
    Commands::parse(&input).expect("valid rules")
}

/// What would run: each command's words. `Err` with the reason where nothing of it does.
fn shell(commands: &Commands, text: &str) -> Result<Vec<Vec<String>>, String> {
    let script = parse(text).map_err(|error| error.problem)?;
    let mut run = Vec::new();
    let all = script.steps.iter().flat_map(|step| step.pipeline.commands.iter().enumerate());
    for (at, simple) in all {
        let made = Made::of(text, simple, &Container).known().map_err(|error| error.problem)?;
        let mut invocation = Invocation {
            argv: Vec::new(),
            directory: Some(HERE.to_owned()),
            piped: at > 0,
            terminal: true,
            ..made
        };
        for word in &simple.words {
            for field in expand(std::slice::from_ref(word), &Container).map_err(|error| error.problem)? {
                let mut found = Vec::new();
                if let Some(mut glob) = field.glob() {
                    while let Some(wanted) = glob.wants() {
                        let here = wanted.is_empty() || wanted == HERE || wanted == ".";
                        let names: Vec<(String, bool)> = match wanted {
                            _ if here => NAMES.iter().map(|name| ((*name).to_owned(), false)).collect(),
                            "/etc" => vec![("shadow".to_owned(), false), ("passwd".to_owned(), false)],
                            "/bin" => vec![("sh".to_owned(), false), ("bash".to_owned(), false)],
                            "/var/run" => vec![("secrets".to_owned(), true)],
                            _ => Vec::new(),
                        };
                        glob.give(&names);
                    }
                    found = glob.found().map_err(|error| error.to_string())?;
                }
                if found.is_empty() {
                    invocation.argv.push(field.text())
                } else {
                    invocation.argv.extend(found)
                }
            }
        }
        let verdict = commands.judge(&invocation, Way::Guarded);
        run.push(verdict.cleared.ok_or(format!("{}: {}", verdict.rule, verdict.why))?.argv().to_vec());
    }
    Ok(run)
}

fn exec(commands: &Commands, text: &str) -> Result<Vec<Vec<String>>, String> {
    let argv = text.split(' ').map(str::to_owned).collect();
    let verdict = commands.judge(&Invocation { argv, ..Invocation::default() }, Way::Exec);
    Ok(vec![verdict.cleared.ok_or(format!("{}: {}", verdict.rule, verdict.why))?.argv().to_vec()])
}

/// Under a rule that names the program and nothing else. One that could never keep its word is not taken.
fn named(text: &str) -> Result<Vec<Vec<String>>, String> {
    let program = text.split(' ').next().unwrap_or_default();
    let input = CommandsInput { allow: vec![rule(&[program, "cat"])], ..CommandsInput::default() };
    let commands = Commands::parse(&input).map_err(|(field, problem)| format!("{field}: {problem}"))?;
    shell(&commands, text)
}

/// Rust's escapes, into bytes.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.extend(c.to_string().bytes());
            continue;
        }
        match rest.next() {
            Some('n') => out.push(b'\n'),
            Some('r') => out.push(b'\r'),
            Some('t') => out.push(b'\t'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&digits, 16).expect("two digits"));
            }
            Some('u') => {
                let digits: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                let c =
                    char::from_u32(u32::from_str_radix(&digits, 16).expect("digits")).expect("a character");
                out.extend(c.to_string().bytes());
            }
            Some(c) => out.extend(c.to_string().bytes()),
            None => panic!("an escape without an end: {text}"),
        }
    }
    out
}

#[test]
fn adversarial() {
    let commands = rules();
    let (mut names, mut through) = (HashSet::new(), Vec::new());
    for line in ATTEMPTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut parts = line.splitn(3, ' ');
        let (name, how, text) = (parts.next().unwrap(), parts.next().expect(line), parts.next().expect(line));
        assert!(names.insert(name), "{name} twice");
        let (text, harmless) =
            text.split_once(" => ").map_or((text, None), |(text, harmless)| (text, Some(harmless)));
        let outcome = match String::from_utf8(unescaped(text)) {
            Err(_) => Err("not text".to_owned()),
            Ok(_) if how == "bytes" => panic!("{name} is text"),
            Ok(text) if how == "exec" => exec(&commands, &text),
            Ok(text) if how == "shell" => shell(&commands, &text),
            Ok(text) if how == "named" => named(&text),
            Ok(_) => panic!("{name}: {how}"),
        };
        match (outcome, harmless) {
            (Err(_), None) => {}
            (Ok(run), Some(expected)) => {
                let run: Vec<String> = run.iter().map(|argv| argv.join(" ")).collect();
                if run.join("; ") != expected {
                    through.push(format!("{name}: `{text}` became {run:?}"));
                }
            }
            (Ok(run), None) => through.push(format!("{name}: `{text}` ran {run:?}")),
            (Err(why), Some(_)) => through.push(format!("{name}: `{text}` was refused ({why}): say so")),
        }
    }
    assert!(through.is_empty(), "{} got through:\n{}", through.len(), through.join("\n"));
    assert!(names.len() >= 150, "{}", names.len());
}

#[test]
fn what_people_need_still_runs() {
    let commands = rules();
    for line in [
        "ls -la | grep x",
        "tail -n 5 /var/log/a && df -h",
        "tar cf /tmp/a /var/log/app",
        "/app/bin/tool --mode=fast status",
        "psql -c 'select 1'",
        "cp x /tmp/x",
        "sort -o x ./x",
        "kill -HUP 1; ps -ef",
        "diff /app/a /app/b",
        "md5sum /var/log/a; getent hosts db; who -m",
        "cd=1 true || ls",
    ] {
        let outcome = shell(&commands, line);
        assert_eq!(outcome.is_ok(), !line.starts_with("cd"), "{line}: {outcome:?}");
    }
}
