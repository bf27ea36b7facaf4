//! What the guardrail misses, by name: each of these gets around a rule that forbids `touch`, as of now. A gap that closes
//! makes its test fail, and then leaves `docs/guardrail-gaps.md`.

use std::collections::BTreeSet;

use sallyport_policy::commands::{CommandsInput, RuleInput};

use super::*;

/// One of them.
struct Gap {
    name: &'static str,
    which: Which,
    /// Files that are there before.
    files: &'static [(&'static str, &'static str)],
    environment: &'static [(&'static str, &'static str)],
    /// What is typed, and what is waited for after it; empty where nothing comes.
    steps: &'static [(&'static str, &'static str)],
}

const fn gap(name: &'static str, steps: &'static [(&'static str, &'static str)]) -> Gap {
    Gap { name, which: Which::Bash, files: &[], environment: &[], steps }
}

const GAPS: &[Gap] = &[
    Gap { files: &[("s", "touch made\n")], ..gap("a script file", &[("sh s\r", "me$ ")]) },
    Gap { files: &[("s", "touch made\n")], ..gap("a sourced file", &[(". ./s\r", "me$ ")]) },
    gap("encoded text for an interpreter", &[("echo dG91Y2ggbWFkZQo= | base64 -d | sh\r", "me$ ")]),
    gap("an interpreter's own code", &[("busybox awk 'BEGIN { system(\"tou\" \"ch made\") }'\r", "me$ ")]),
    gap(
        "an editor's shell escape",
        &[
            ("busybox vi s\r", "\x1b[?1049h"),
            (":!touch made\r", "Hit return"),
            ("\r", ""),
            (":q!\r", "\x1b[?1049l"),
        ],
    ),
    Gap {
        environment: &[("BASH_FUNC_hello%%", "() { touch made; }")],
        ..gap("a function that was there before", &[("hello\r", "me$ ")])
    },
    gap("an alias", &[("alias hello='tou''ch made'\r", "me$ "), ("hello\r", "me$ ")]),
    gap("a key that is bound to a command", &[("bind -x '\"\\C-t\": touch made'\r", "me$ "), ("\x14", "")]),
    gap("a trap", &[("trap 'tou''ch made' EXIT\r", "me$ "), ("exit\r", "exit")]),
    gap("a program under another name", &[("cp /usr/bin/touch t\r", "me$ "), ("./t made\r", "me$ ")]),
    gap("a name that the shell completes by a pattern", &[("/usr/bin/tou?h made\r", "me$ ")]),
    gap("a name in a variable", &[("x=tou\r", "me$ "), ("${x}ch made\r", "me$ ")]),
    gap("a here-document's lines", &[("sh <<E\r", "> "), ("touch made\r", "> "), ("E\r", "me$ ")]),
    Gap {
        files: &[("new", "touch made\n")],
        environment: &[("EDITOR", "cp new")],
        ..gap("a line that goes to an editor (Ctrl-X Ctrl-E)", &[("x\x18\x05", "me$ ")])
    },
    Gap {
        which: Which::Dash,
        ..gap("a line that is not echoed", &[("stty -echo\r", "me$ "), ("touch made\r", "me$ ")])
    },
    Gap {
        which: Which::Dash,
        ..gap("a line that is typed ahead", &[("sleep 1.5\r", ""), ("touch made\r", "me$ ")])
    },
    Gap {
        files: &[("s", "PS1='name: ' exec dash -i\n")],
        ..gap(
            "a shell whose prompt looks like a program's",
            &[("sh s\r", "name: "), ("touch made\r", "name: ")],
        )
    },
    Gap {
        which: Which::Dash,
        ..gap(
            "a paste in brackets into a shell that does not know them",
            &[("printf '\\033[?2004h'\r", "me$ "), ("\x1b[200~;touch made\r\x1b[201~", "")],
        )
    },
];

fn no_touch() -> Commands {
    let deny = vec![RuleInput { programs: vec!["touch".to_owned()], ..RuleInput::default() }];
    Commands::parse(&CommandsInput { deny, ..CommandsInput::default() }).expect("rules")
}

#[tokio::test]
async fn each_named_gap_is_one() {
    let mut closed = Vec::new();
    for gap in GAPS {
        let environment = gap.environment.to_vec();
        let start = Start { rules: Some(no_touch()), environment, ..Start::default() };
        let Some(mut me) = Person::start(gap.which, start).await else { continue };
        for (name, text) in gap.files {
            std::fs::write(me.dir.path().join(name), text).expect("a file");
        }
        for (keys, then) in gap.steps {
            me.types(keys).await;
            if then.is_empty() {
                tokio::time::sleep(Duration::from_millis(800)).await;
            } else {
                me.sees(then).await;
            }
        }
        for _ in 0..1500 {
            if me.made("made") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if !me.made("made") {
            closed.push(format!("{}: {:?}", gap.name, me.screen()));
        }
    }
    assert!(
        closed.is_empty(),
        "no gaps any more; take them out of docs/guardrail-gaps.md:\n{}",
        closed.join("\n")
    );
}

#[tokio::test]
async fn without_a_gap_the_same_rule_holds() {
    for which in ALL {
        let start = Start { rules: Some(no_touch()), ..Start::default() };
        let Some(mut me) = Person::start(which, start).await else { continue };
        me.runs("true && touch made", "was not run").await;
        me.runs("echo o''ne", "one\r\n").await;
        assert!(!me.made("made"));
    }
}

#[test]
fn the_documentation_names_each_gap_and_no_other() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guardrail-gaps.md");
    let text = std::fs::read_to_string(path).expect("docs/guardrail-gaps.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let documented: BTreeSet<&str> = rows.filter(|name| *name != "gap" && !name.starts_with('-')).collect();
    let tested: BTreeSet<&str> = GAPS.iter().map(|gap| gap.name).collect();
    assert_eq!(documented, tested);
}
