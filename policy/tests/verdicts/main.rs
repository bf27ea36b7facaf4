//! Lines that people type in an incident, and what the rules say to each: `corpus/verdicts.txt`. What must not get through
//! is in `adversarial`; this holds what must, and that a refusal names the rule that people would look for.
//!
//! `LINE  =>  RULE` for each command that runs, `LINE  =>  !RULE` where one is refused (nothing of the line runs then).
//! `UPDATE=1` writes what came out; look at the difference.

#![expect(clippy::expect_used, reason = "a failed expectation is a panic with a sentence")]

use std::fmt::Write as _;
use std::path::Path;

use sallyport_policy::commands::{Commands, CommandsInput, Invocation, Made, RuleInput, Way};
use sallyport_policy::line::{Variables, parse};

struct Shell;

impl Variables for Shell {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "HOME" => Some("/root"),
            "LOG" => Some("/var/log/app.log"),
            "?" => Some("0"),
            _ => None,
        }
    }
}

fn rules() -> Commands {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let input = CommandsInput {
        sets: words(&["observe", "debug", "database-read"]),
        allow: vec![
            RuleInput {
                programs: words(&["rm", "touch", "tee", "sort", "cp"]),
                reads: Some(words(&["/tmp/**", "/var/log/**"])),
                writes: Some(words(&["/tmp/**"])),
                ..RuleInput::default()
            },
            RuleInput {
                programs: words(&["/app/bin/ctl"]),
                args: Some(words(&["status", "reload"])),
                ..RuleInput::default()
            },
        ],
        deny: vec![RuleInput {
            programs: words(&["rm"]),
            flags: Some(words(&["--recursive"])),
            message: Some("files one by one".to_owned()),
            ..RuleInput::default()
        }],
        ..CommandsInput::default()
    };
    Commands::parse(&input).expect("these rules are valid")
}

/// What is said to a line.
fn verdict(rules: &Commands, line: &str) -> String {
    match judged(rules, line) {
        Ok(rules) => rules.join(" ; "),
        Err(rule) => format!("!{rule}"),
    }
}

fn judged(rules: &Commands, line: &str) -> Result<Vec<String>, String> {
    let grammar = |_| "grammar".to_owned();
    let mut allowed = Vec::new();
    for step in parse(line).map_err(|error| grammar(error.to_string()))?.steps {
        for (at, one) in step.pipeline.commands.iter().enumerate() {
            let made = Made::of(line, one, &Shell).known().map_err(|error| grammar(error.to_string()))?;
            let invocation = Invocation { directory: Some("/app".to_owned()), piped: at > 0, ..made };
            let verdict = rules.judge(&invocation, Way::Guarded);
            if verdict.cleared.is_none() {
                return Err(verdict.rule);
            }
            allowed.push(verdict.rule);
        }
    }
    Ok(allowed)
}

#[test]
fn every_line_gets_the_verdict_that_people_expect() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/verdicts.txt");
    let text = std::fs::read_to_string(&path).expect("the corpus");
    let (rules, mut written, mut wrong, mut count) = (rules(), String::new(), Vec::new(), 0);
    for line in text.lines() {
        if line.is_empty() || line.starts_with("##") {
            let _ = writeln!(written, "{line}");
            continue;
        }
        let (typed, expected) = line.split_once("  =>  ").unwrap_or((line, ""));
        let came = verdict(&rules, typed);
        count += 1;
        let _ = writeln!(written, "{typed}  =>  {came}");
        if came != expected {
            wrong.push(format!("{typed}: {came}, expected {expected}"));
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &written).expect("write the corpus");
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    assert!(count >= 150, "only {count} lines");
}
