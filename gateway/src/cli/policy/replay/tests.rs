use std::fs;

use serde_json::json;

use super::*;

const POLICY: &str = r"
apiVersion: sallyport.dev/v1alpha1
kind: AccessPolicy
metadata: {name: oncall-debug}
spec:
  subjects: {groups: [oncall]}
  namespaces: [payments]
  allow: {shell: true, exec: true}
  clusterRole: view
  maxDuration: 1h
  approval: {required: 0}
  commands:
    allow:
    - programs: [ls, cat]
";

struct Past {
    dir: tempfile::TempDir,
}

impl Past {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("rec/2026-11-20")).unwrap();
        fs::create_dir_all(dir.path().join("rec/open")).unwrap();
        fs::write(dir.path().join("policy.yaml"), POLICY).unwrap();
        Self { dir }
    }

    fn session(&self, id: &str, kind: &str, command: Option<&[&str]>, lines: &[(&str, &[&str], &str)]) {
        let day = self.dir.path().join("rec/2026-11-20");
        let session = json!({
            "id": id, "person": {"username": "alice"}, "request": "r", "policy": "oncall-debug", "kind": kind,
            "namespace": "payments", "pod": "api-0", "started": "2026-11-20T10:00:00Z", "command": command,
        });
        fs::write(day.join(format!("{id}.json")), session.to_string()).unwrap();
        let line = |(way, argv, outcome): &(&str, &[&str], &str)| {
            let own = matches!(argv[0], "cd" | "export" | "unset" | "eval" | "A=b");
            let rule = if own { "the shell itself" } else { "old" };
            let directory = if argv.contains(&"app.log") { "/srv/app" } else { "/" };
            json!({"at": "2026-11-20T10:00:01Z", "way": way, "line": argv.join(" "), "argv": argv,
                "directory": directory, "outcome": outcome, "rule": rule, "assurance": "boundary"})
            .to_string()
                + "\n"
        };
        if !lines.is_empty() {
            let text: String = lines.iter().map(line).collect();
            fs::write(day.join(format!("{id}.commands")), text).unwrap();
        }
    }

    /// A shell without rules: lines, and the rule's name.
    fn observed(&self, id: &str, lines: &[(&str, &str)]) {
        self.session(id, "shell", None, &[]);
        let line = |(line, rule): &(&str, &str)| {
            let argv: Vec<&str> =
                if line.contains([';', '|', '\n']) { Vec::new() } else { line.split(' ').collect() };
            json!({"at": "2026-11-20T10:00:01Z", "way": "open", "line": line, "argv": argv,
                "outcome": "allowed", "rule": rule, "assurance": "none"})
            .to_string()
                + "\n"
        };
        let text: String = lines.iter().map(line).collect();
        fs::write(self.dir.path().join(format!("rec/2026-11-20/{id}.commands")), text).unwrap();
    }

    fn proposes(&self, commands: &str) {
        let policy = POLICY.split("  commands:").next().unwrap();
        fs::write(self.dir.path().join("policy.yaml"), format!("{policy}  commands: {commands}\n")).unwrap();
    }

    fn report(&self) -> Report {
        let path = self.dir.path().join("policy.yaml");
        let policy = files::read(std::slice::from_ref(&path)).policies.remove(0);
        let policies = BTreeMap::from([("oncall-debug".to_owned(), policy)]);
        let replay = Replay {
            recordings: self.dir.path().join("rec"),
            paths: vec![path],
            policy: None,
            since: None,
            fail: false,
            output: Output::Json,
        };
        let (mut report, mut found) = (Report::default(), Vec::new());
        find(&replay.recordings, 0, &mut found).unwrap();
        found.sort();
        for path in found {
            if let Err(problem) = replay.session(&path, &policies, &mut report) {
                report.problems.push(problem);
            }
        }
        report
    }
}

#[test]
fn what_ran_and_would_be_refused_is_told_and_what_was_refused_and_would_run() {
    let past = Past::new();
    past.session(
        "guarded",
        "shell",
        None,
        &[
            ("guarded", &["ls", "/srv"], "allowed"),
            ("guarded", &["rm", "-rf", "/srv"], "allowed"),
            ("guarded", &["cat", "/etc/hostname"], "refused"),
            ("guarded", &["dd", "if=/dev/zero"], "refused"),
        ],
    );
    let report = past.report();
    assert_eq!((report.sessions, report.commands, report.problems.len()), (1, 4, 0), "{report:?}");
    let commands = |list: &[Change]| list.iter().map(|one| one.command.clone()).collect::<Vec<_>>();
    assert_eq!(commands(&report.refused), ["rm -rf /srv"]);
    assert_eq!(commands(&report.allowed), ["cat /etc/hostname"]);
    assert_eq!(report.refused[0].person, "alice");
}

#[test]
fn what_the_guarded_shell_did_itself_is_not_judged_and_what_follows_is_judged_where_it_ran() {
    let past = Past::new();
    let reads = POLICY.replace("[ls, cat]", "[ls, cat]\n      reads: [/srv/app/**]");
    fs::write(past.dir.path().join("policy.yaml"), reads).unwrap();
    past.session(
        "guarded",
        "shell",
        None,
        &[
            ("guarded", &["cd", "/srv/app"], "own"),
            ("guarded", &["A=b"], "own"),
            ("guarded", &["export", "LANG=C"], "own"),
            ("guarded", &["unset", "A"], "own"),
            ("guarded", &["eval", "ls"], "refused"),
            ("guarded", &["cat", "app.log"], "allowed"),
            ("guarded", &["cat", "other.log"], "allowed"),
        ],
    );
    let report = past.report();
    assert_eq!((report.commands, report.problems.len(), report.allowed.len()), (2, 0, 0), "{report:?}");
    let refused: Vec<_> = report.refused.iter().map(|one| one.command.as_str()).collect();
    assert_eq!(refused, ["cat other.log"]);
}

#[test]
fn what_a_guarded_shells_variables_stood_for_is_on_record_and_what_it_exported_is_followed() {
    let past = Past::new();
    past.proposes("{allow: [{programs: [ls]}, {programs: [rm], writes: [/srv/**]}]}");
    past.session(
        "guarded",
        "shell",
        None,
        &[
            // `X=/srv/a`, `rm $X/y` and `rm $X/../../etc/y`: the list has the words as they ran.
            ("guarded", &["A=b"], "own"),
            ("guarded", &["rm", "/srv/a/y"], "allowed"),
            ("guarded", &["rm", "/srv/a/../../etc/y"], "allowed"),
            ("guarded", &["ls", "/"], "allowed"),
            ("guarded", &["export", "LD_PRELOAD=/tmp/x"], "own"),
            ("guarded", &["ls", "-l"], "refused"),
            ("guarded", &["ls", "-a"], "allowed"),
            ("guarded", &["unset", "LD_PRELOAD"], "own"),
            ("guarded", &["ls", "-h"], "allowed"),
            // Another way in, which is given nothing of it.
            ("exec", &["ls", "-lh"], "allowed"),
        ],
    );
    let report = past.report();
    assert_eq!((report.commands, report.problems.len()), (7, 0), "{report:?}");
    assert_eq!(refused(&report), [("rm /srv/a/../../etc/y", "no rule"), ("ls -a", "environment")]);
    assert!(report.allowed.is_empty(), "what LD_PRELOAD refused then it refuses now: {report:?}");
}

#[test]
fn a_proposed_guarded_shell_knows_what_the_sessions_own_lines_set() {
    let past = Past::new();
    past.proposes("{allow: [{programs: [ls]}, {programs: [rm], writes: [/srv/**]}]}");
    past.observed(
        "shell",
        &[
            ("X=/srv/a", "no rules"),
            ("rm $X/y", "no rules"),
            ("rm $X/../../etc/y", "no rules"),
            ("X=$(pwd)", "no rules"),
            ("rm $X/z", "no rules"),
            ("X=/srv", "typed ahead"),
            ("rm $X/ahead", "no rules"),
            ("export LANG=b", "no rules"),
            ("cd /srv", "input to a program"),
            ("rm y", "no rules"),
            ("cd /srv/$LANG", "no rules"),
            ("rm y; rm /$LANG", "no rules"),
            ("unset LANG", "no rules"),
            ("rm $LANG/last", "no rules"),
        ],
    );
    let report = past.report();
    let expected = [
        ("rm /srv/a/../../etc/y", "no rule"),
        ("X=$(pwd)", "grammar"),
        ("rm $X/z", "grammar"),
        ("rm $X/ahead", "grammar"),
        ("rm y", "not known"),
        ("rm /b", "no rule"),
        ("rm $LANG/last", "grammar"),
    ];
    assert_eq!(refused(&report), expected, "{report:?}");
    // The guardrail of an open shell knows of no variables, whoever set them; it says so of each.
    past.proposes("{shell: Open, allow: [{programs: [rm]}]}");
    let open = past.report();
    assert!(open.refused.iter().filter(|one| one.command.contains("$X")).all(|one| one.rule == "not known"));
    assert!(
        open.refused.iter().any(|one| one.command == "rm $X/y" || one.command == "rm '$X/y'"),
        "{open:?}"
    );
}

#[test]
fn an_exec_from_before_rules_is_judged_by_its_metadata_and_an_old_shell_is_only_counted() {
    let past = Past::new();
    past.session("exec", "exec", Some(&["rm", "/srv/x"]), &[]);
    past.session("shell", "shell", None, &[]);
    past.session("logs", "logs", None, &[]);
    let report = past.report();
    assert_eq!((report.sessions, report.commands, report.unlisted), (2, 1, 1), "{report:?}");
    assert_eq!(report.refused.len(), 1);
}

const OBSERVED: [(&str, &str); 9] = [
    ("ls -l", "no rules"),
    ("ls | rm x; cat y", "no rules"),
    ("for f in a\ndo rm $f\ndone", "no rules"),
    ("rm into a program", "input to a program"),
    ("rm ahead", "typed ahead"),
    ("cat a > /srv/b", "no rules"),
    ("cd /tmp", "no rules"),
    ("cat hosts", "no rules"),
    ("eval rm y", "no rules"),
];

fn refused(report: &Report) -> Vec<(&str, &str)> {
    report.refused.iter().map(|one| (one.command.as_str(), one.rule.as_str())).collect()
}

#[test]
fn a_shell_without_rules_is_judged_line_by_line_as_the_proposed_open_shell_would() {
    let past = Past::new();
    past.observed("shell", &OBSERVED);
    past.proposes("{shell: Open, deny: [{programs: [rm]}]}");
    let report = past.report();
    assert_eq!((report.sessions, report.unlisted, report.problems.len()), (1, 0, 0), "{report:?}");
    let denied: Vec<_> =
        refused(&report).into_iter().map(|(command, rule)| (command.split(' ').next(), rule)).collect();
    let rm = (Some("rm"), "deny[0]");
    assert_eq!(denied, [rm, (Some("for"), "deny[0]"), rm, (Some("eval"), "deny[0]")], "{report:?}");
    assert!(report.allowed.is_empty(), "what ran is not let run anew: {report:?}");
}

#[test]
fn a_proposed_guarded_shell_refuses_what_is_not_in_its_language_too() {
    let past = Past::new();
    past.observed("shell", &OBSERVED);
    past.proposes("{allow: [{programs: [ls]}, {programs: [cat], reads: [/tmp/*]}]}");
    let report = past.report();
    let by = |rule: &str| refused(&report).iter().filter(|(_, by)| *by == rule).count();
    assert_eq!(by("grammar"), 2, "the loop and eval: {report:?}");
    let named: Vec<_> = refused(&report).into_iter().map(|(command, _)| command).collect();
    for command in ["rm x", "cat y", "rm ahead", "cat a"] {
        assert!(named.contains(&command), "{command}: {report:?}");
    }
    // Read in the directory that the person had gone to, which the shell does by itself.
    assert!(!named.iter().any(|command| *command == "cat hosts" || command.starts_with("cd")), "{report:?}");
    assert!(!named.contains(&"rm into a program"), "{report:?}");
}

#[test]
fn lines_of_a_shell_without_a_terminal_are_judged_as_the_commands_that_they_make() {
    let past = Past::new();
    let piped = |lines: &[&'static str]| -> Vec<(&'static str, &'static str)> {
        lines.iter().map(|line| (*line, "without a terminal")).collect()
    };
    let script =
        ["# it's (a script", "for f in a", "do ls $f", "done", "ls \\", "-l", "rm x", "cat 'a", "b'"];
    past.observed("a", &piped(&script));
    past.proposes("{shell: Open, deny: [{programs: [rm]}]}");
    let report = past.report();
    assert_eq!(refused(&report), [("rm x", "deny[0]")], "{report:?}");
    past.proposes("{shell: Open, allow: [{programs: [ls]}]}");
    let report = past.report();
    let named: Vec<_> = refused(&report).into_iter().map(|(command, _)| command).collect();
    assert!(named.contains(&"rm x") && !named.iter().any(|one| one.starts_with('#')), "{report:?}");
    assert!(named.iter().any(|one| one.starts_with("cat")), "two lines are one command: {report:?}");
    assert!(!named.iter().any(|one| matches!(*one, "do ls $f" | "done" | "-l" | "b'")), "{report:?}");
    // What begins something that never ends hides nothing that comes behind it.
    let mut endless = vec!["(", "rm y"];
    endless.extend(["ls"; 100]);
    endless.push("rm z");
    past.observed("a", &piped(&endless));
    past.proposes("{shell: Open, deny: [{programs: [rm]}]}");
    let report = past.report();
    let named: Vec<_> = refused(&report).into_iter().map(|(command, _)| command).collect();
    assert_eq!(named, ["rm y", "rm z"], "{report:?}");
}

#[test]
fn an_exec_without_rules_is_judged_by_its_list() {
    let past = Past::new();
    past.session("exec", "exec", Some(&["rm", "/srv/x"]), &[("exec", &["rm", "/srv/x"], "allowed")]);
    past.session("fine", "exec", Some(&["ls"]), &[("exec", &["ls"], "allowed")]);
    let report = past.report();
    assert_eq!((report.commands, refused(&report)), (2, vec![("rm /srv/x", "no rule")]), "{report:?}");
}

#[test]
fn a_proposed_set_is_judged_by_as_it_stands_in_the_files() {
    let past = Past::new();
    let set = "apiVersion: sallyport.dev/v1alpha1\nkind: CommandSet\nmetadata: {name: team}\nspec: {allow: [{programs: [ls]}]}\n";
    let policy = POLICY.replace("allow:\n    - programs: [ls, cat]", "sets: [team]");
    fs::write(past.dir.path().join("policy.yaml"), format!("{policy}---\n{set}")).unwrap();
    past.session("exec", "exec", Some(&["cat", "/srv/x"]), &[]);
    past.session("other", "exec", Some(&["ls", "/srv/x"]), &[]);
    let report = past.report();
    assert_eq!((report.commands, report.refused.len()), (2, 1), "{report:?}");
    assert_eq!(report.refused[0].command, "cat /srv/x");
}

#[test]
fn what_cannot_be_read_is_a_problem_and_not_a_pass() {
    let past = Past::new();
    fs::write(past.dir.path().join("rec/2026-11-20/bad.json"), "{").unwrap();
    past.session("torn", "shell", None, &[("guarded", &["ls"], "allowed")]);
    fs::write(past.dir.path().join("rec/2026-11-20/torn.commands"), "{\"at\":").unwrap();
    assert_eq!(past.report().problems.len(), 2);
}

#[test]
fn the_exit_status_fails_a_review_only_where_it_is_asked_to() {
    let past = Past::new();
    past.session("exec", "exec", Some(&["rm", "/srv/x"]), &[]);
    let run = |fail| {
        Replay {
            recordings: past.dir.path().join("rec"),
            paths: vec![past.dir.path().join("policy.yaml")],
            policy: None,
            since: None,
            fail,
            output: Output::Json,
        }
        .run()
    };
    assert_eq!(format!("{:?}", run(false)), format!("{:?}", ExitCode::SUCCESS));
    assert_eq!(format!("{:?}", run(true)), format!("{:?}", ExitCode::FAILURE));
}
