//! Lines: what runs, what does not, and what is on record.

use super::*;

#[tokio::test]
async fn arguments_reach_programs_as_they_were_written() {
    let came = script("printf '<%s>\\n' one 'two  three' \"fo\"ur '*' '$HOME' \\;\n").await;
    assert_eq!((came.out.as_str(), came.status), ("<one>\n<two  three>\n<four>\n<*>\n<$HOME>\n<;>\n", 0));
}

#[tokio::test]
async fn steps_follow_the_status_of_those_before_them() {
    let came =
        script("false || echo a; true && echo b; false && echo c; ! false && echo d; false; echo $?\n").await;
    assert_eq!(came.out, "a\nb\nd\n1\n");
    assert_eq!(script("ls /tmp/never-there-1\n").await.status, 2);
    assert_eq!(script("exit 7\necho never\n").await.status, 7);
}

#[tokio::test]
async fn nothing_of_a_line_runs_where_a_part_of_it_may_not() {
    let (machine, book) = (Machine::default(), Book::default());
    let came =
        script_with(machine.clone(), book.clone(), OnDenied::Tell, "echo one; uname -a\necho two\n").await;
    assert_eq!((came.out.as_str(), came.status), ("", 77));
    assert!(came.err.contains("refused: `uname`"), "{}", came.err);
    assert_eq!(for_the_person(&machine), [""; 0]);
    let notes = book.notes.lock().unwrap();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].verdict.cleared.is_none());
}

#[tokio::test]
async fn what_cannot_be_known_is_refused_with_a_way_out() {
    for text in
        ["echo $(id)\n", "echo `id`\n", "for i in a; do id; done\n", "echo $NOT_SET\n", "(id)\n", "id &\n"]
    {
        let machine = Machine::default();
        let came = script_with(machine.clone(), Book::default(), OnDenied::Tell, text).await;
        assert_eq!(came.status, 77, "{text} {came:?}");
        assert!(came.err.starts_with("sallyport: "), "{text} {came:?}");
        assert_eq!(for_the_person(&machine), [""; 0], "{text}");
    }
}

#[tokio::test]
async fn builtins_of_other_shells_are_refused_by_name() {
    for name in
        ["eval id", "exec id", "source x", ". x", "alias a=b", "trap x", "command id", "jobs", "set -x"]
    {
        let machine = Machine::default();
        let came = script_with(machine.clone(), Book::default(), OnDenied::Tell, &format!("{name}\n")).await;
        assert_eq!(came.status, 2, "{name} {came:?}");
        assert_eq!(for_the_person(&machine), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn every_command_is_on_record_before_it_runs_or_does_not_run() {
    let (machine, book) = (Machine::default(), Book::default());
    script_with(machine.clone(), book.clone(), OnDenied::Tell, "echo a | sort | wc -l\n").await;
    let lines: Vec<_> = book.notes.lock().unwrap().iter().map(|note| note.verdict.shown.join(" ")).collect();
    assert_eq!(lines, ["echo a", "sort", "wc -l"]);
    let machine = Machine::default();
    let full = Book { full: true, ..Book::default() };
    let came = script_with(machine.clone(), full, OnDenied::Tell, "echo a\n").await;
    assert_eq!(came.status, 79);
    assert_eq!(for_the_person(&machine), [""; 0]);
}

#[tokio::test]
async fn what_changes_later_commands_is_on_record_as_the_shells_own() {
    let book = Book::default();
    let text = "cd /etc\nDB_PASSWORD=hunter2; export LANG=xx\nunset X DB_PASSWORD; export; pwd; true; history; help\necho a\n";
    let came = script_with(Machine::default(), book.clone(), OnDenied::Tell, text).await;
    assert_eq!(came.status, 0, "{came:?}");
    let told: Vec<_> = {
        let notes = book.notes.lock().unwrap();
        let told = |note: &Note| {
            let directory = note.directory.clone().unwrap_or_default();
            (note.verdict.shown.join(" "), directory, note.own, note.verdict.rule == THE_SHELL)
        };
        notes.iter().map(told).collect()
    };
    let told: Vec<_> =
        told.iter().map(|(line, at, own, rule)| (line.as_str(), at.as_str(), *own, *rule)).collect();
    assert_eq!(
        told,
        [
            // Where it was typed; what follows is where it leads.
            ("cd /etc", "/tmp", true, true),
            ("DB_PASSWORD=****", "/etc", true, true),
            ("export LANG=xx", "/etc", true, true),
            ("unset X DB_PASSWORD", "/etc", true, true),
            ("echo a", "/etc", false, false),
        ]
    );
    // It is on record before it is done.
    let full = Book { full: true, ..Book::default() };
    assert_eq!(script_with(Machine::default(), full, OnDenied::Tell, "cd /etc\npwd\n").await.status, 79);
}

#[tokio::test]
async fn what_other_shells_have_is_on_record_as_refused() {
    let book = Book::default();
    script_with(Machine::default(), book.clone(), OnDenied::Tell, "eval id\n").await;
    let notes = book.notes.lock().unwrap();
    let [note] = notes.as_slice() else { panic!("{notes:?}") };
    assert!(!note.own && note.verdict.cleared.is_none() && note.verdict.rule == THE_SHELL, "{note:?}");
    assert!(note.verdict.why.starts_with("`eval`: "), "{note:?}");
}

#[tokio::test]
async fn a_denied_command_can_alert_or_end_the_session() {
    let book = Book::default();
    script_with(Machine::default(), book.clone(), OnDenied::Alert, "uname\n").await;
    assert_eq!(*book.alerts.lock().unwrap(), 1);
    script_with(Machine::default(), book.clone(), OnDenied::Alert, "echo $(uname)\n").await;
    assert_eq!(*book.alerts.lock().unwrap(), 2, "what cannot be known is denied as well");
    let came = script_with(Machine::default(), Book::default(), OnDenied::End, "uname\n").await;
    assert_eq!(came.status, 77);
    assert!(came.out.contains("ends a session") || came.err.contains("ends a session"), "{came:?}");
}

#[tokio::test]
async fn directories_and_variables_go_with_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    std::fs::write(path.join("a.txt"), "alpha\n").unwrap();
    let path = path.display();
    let came = script(&format!("cd {path}\npwd\ncat a.txt\nls *.txt\ncd -\npwd\n")).await;
    assert_eq!(came.out, format!("{path}\nalpha\na.txt\n/tmp\n/tmp\n"), "{}", came.err);
    let came = script("export LANG=xx; printenv LANG; A=b; echo $A; LANG=yy printenv LANG\n").await;
    assert_eq!(came.out, "xx\nb\nyy\n", "{}", came.err);
    let came = script("cd /no/such/place\n").await;
    assert!(came.status == 1 && came.err.contains("no directory"), "{came:?}");
}

#[tokio::test]
async fn links_are_followed_before_a_path_is_judged() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let path = dir.path().canonicalize().unwrap();
    std::os::unix::fs::symlink("/etc/shadow", path.join("harmless")).unwrap();
    std::os::unix::fs::symlink("/etc", path.join("up")).unwrap();
    for text in
        ["cat harmless", "cat up/shadow", "cat ./up/../up/shadow", "cat < harmless", "echo x > up/profile"]
    {
        let machine = Machine::default();
        let line = format!("cd {}\n{text}\n", path.display());
        let came = script_with(machine.clone(), Book::default(), OnDenied::Tell, &line).await;
        assert_eq!(came.status, 77, "{text} {came:?}");
        assert!(for_the_person(&machine).iter().all(|line| !line.contains("cat")), "{text}");
    }
}

#[tokio::test]
async fn a_container_with_little_says_what_is_missing() {
    let bare = || Machine { lacks: &["find", "env", "sh", "readlink", "cat", "tee"], ..Machine::default() };
    let run = |text: &'static str| script_with(bare(), Book::default(), OnDenied::Tell, text);
    assert_eq!(run("echo still here\n").await.out, "still here\n");
    assert!(run("echo *\n").await.err.contains("no `find`"));
    assert!(run("cd /tmp\n").await.err.contains("no `find`"));
    let came = run("export LANG=x; printenv LANG\n").await;
    assert!(came.err.contains("neither `env` nor `sh`"), "{came:?}");
    assert_ne!(run("echo x > /tmp/never-written-1\n").await.status, 0);
}

#[tokio::test]
async fn no_path_is_too_many_to_be_followed() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let path = dir.path().canonicalize().unwrap();
    std::os::unix::fs::symlink("/etc/shadow", path.join("harmless")).unwrap();
    let names: Vec<String> = (0..40).map(|n| format!("f{n}")).collect();
    let line = format!("cd {}; cat {} harmless\n", path.display(), names.join(" "));
    let came = script(&line).await;
    assert_eq!((came.status, came.out.as_str()), (77, ""), "{}", came.err);
    assert!(came.err.contains("`harmless` leads to `/etc/shadow`"), "{}", came.err);
    let names: Vec<String> = (0..200).map(|n| format!("f{n}")).collect();
    let came = script(&format!("cat {}\n", names.join(" "))).await;
    assert!(came.status == 77 && came.err.contains("name fewer"), "{came:?}");
}

#[tokio::test]
async fn where_one_is_has_to_be_known_for_a_relative_path() {
    let machine = Machine { lacks: &["readlink"], ..Machine::default() };
    let came = script_with(machine.clone(), Book::default(), OnDenied::Tell, "cat hostname\n").await;
    assert_eq!(came.status, 77, "{came:?}");
    assert_eq!(for_the_person(&machine), [""; 0]);
    let came = script_with(machine.clone(), Book::default(), OnDenied::Tell, "cd /etc\ncat hostname\n").await;
    assert_eq!(came.status, 0, "{came:?}");
}

#[tokio::test]
async fn a_variable_that_no_command_may_have_is_refused_at_export_and_ends_a_script() {
    let machine = Machine::default();
    let came =
        script_with(machine.clone(), Book::default(), OnDenied::Tell, "export ANY=1\necho never\n").await;
    assert_eq!((came.out.as_str(), came.status), ("", 77), "{came:?}");
    assert!(came.err.contains("export: `ANY` is not among"), "{came:?}");
    assert_eq!(for_the_person(&machine), [""; 0]);
    let came = script("A=1; echo $A\n").await;
    assert_eq!((came.out.as_str(), came.status), ("1\n", 0), "{came:?}");
}

#[tokio::test]
async fn without_a_terminal_the_last_word_is_no_output() {
    let came = script_with(Machine::default(), Book::default(), OnDenied::End, "uname\n").await;
    assert_eq!((came.out.as_str(), came.status), ("", 77), "{came:?}");
    assert!(came.err.ends_with("sallyport: the policy ends a session at a denied command\n"), "{came:?}");
}
