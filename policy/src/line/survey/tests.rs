//! Commands are found where people write them, and no text takes long.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn guessed(text: &str) -> Vec<String> {
    match survey(text) {
        Survey::Guessed { commands, .. } => commands.iter().map(|argv| argv.join(" ")).collect(),
        Survey::Known(script) => panic!("`{text}` is known: {script:?}"),
    }
}

#[test]
fn a_text_in_the_language_is_known() {
    assert!(matches!(survey("ls -l | wc && echo $X"), Survey::Known(_)));
    assert!(matches!(survey("ls $(x)"), Survey::Guessed { why, .. } if why.contains("$(…)")));
}

#[test]
fn commands_in_substitutions_are_found_also_within_quotes() {
    assert_eq!(guessed("echo $(rm -rf /)"), ["rm -rf /", "echo"]);
    assert_eq!(guessed("echo \"a $(rm -rf /) b\" c"), ["rm -rf /", "echo c"]);
    assert_eq!(guessed("echo `rm a` \"`rm b`\""), ["rm a", "rm b", "echo"]);
    assert_eq!(guessed("echo $(a $(b \"$(c)\") d) e"), ["c", "b", "a d", "echo e"]);
    assert_eq!(guessed("echo '$(rm)' &"), ["echo $(rm)"]);
    assert_eq!(guessed("diff <(rm a) >(rm b)"), ["rm a", "rm b", "diff"]);
    assert_eq!(guessed("echo ${X:-$(rm a)} b"), ["rm a", "echo b"]);
    assert_eq!(guessed("echo `a \\`rm b\\` c`"), ["a", "rm b", "c", "echo"]);
}

#[test]
fn commands_in_loops_conditions_groups_and_functions_are_found() {
    assert_eq!(guessed("for f in a b; do rm $f; done"), ["rm"]);
    assert_eq!(guessed("if test -f a; then rm a; else rm b; fi"), ["test -f a", "rm a", "rm b"]);
    assert_eq!(guessed("while ! a; do b & done | c"), ["a", "b", "c"]);
    assert_eq!(guessed("(cd /; rm x) && { rm y; }"), ["cd /", "rm x", "rm y"]);
    assert_eq!(guessed("f() { rm x; }; function g { rm y; }"), ["rm x", "rm y"]);
    assert_eq!(guessed("case $x in a) rm a;; b|c) rm b;; esac; rm c"), ["rm a", "rm b", "rm c"]);
    assert_eq!(guessed("echo $(case a in a) rm a;; esac) b"), ["rm a", "echo b"]);
    assert_eq!(guessed("[[ -f a && b < c ]] && rm x"), ["rm x"]);
    assert_eq!(guessed("(( a < 3 )) && rm $((1 + 2)) x"), ["rm x"]);
    assert_eq!(guessed("echo $((rm -rf /); (ls))"), ["rm -rf /", "ls", "echo"]);
}

#[test]
fn commands_that_other_commands_start_are_found() {
    assert_eq!(guessed("bash -c 'rm a; ls' &"), ["bash -c rm a; ls", "rm a", "ls"]);
    assert_eq!(guessed("sudo -u root rm a &"), ["sudo -u root rm a", "rm a"]);
    assert_eq!(guessed("eval \"r\"m a &"), ["eval rm a", "rm a"]);
    assert_eq!(guessed("env A=1 -i sh -lc 'rm a' &")[2..], ["rm a"]);
    assert_eq!(guessed("xargs -n 1 rm -f &")[1..], ["rm -f"]);
    assert_eq!(guessed("timeout -s KILL $T rm a &")[1..], ["rm a"]);
    assert_eq!(guessed("find . -exec rm {} \\; -ok ls + &")[1..], ["rm {}", "ls"]);
    assert_eq!(guessed("bash <<< 'rm a'"), ["rm a", "bash"]);
    assert_eq!(guessed("bash <<E\nrm a\nE\nls &"), ["bash", "rm a", "ls"]);
    assert_eq!(guessed("cat <<E\nrm a $(rm b)\nE\nls &"), ["cat", "rm b", ":", "ls"]);
    assert_eq!(guessed("{rm,-rf,/} &"), ["rm -rf /"]);
}

#[test]
fn a_program_that_cannot_be_known_stands_as_it_is_written() {
    assert_eq!(guessed("$EDITOR a $B &"), ["$EDITOR a"]);
    assert_eq!(guessed("$(which rm) a"), ["which rm", "$(…) a"]);
    assert_eq!(guessed("A=1 >out 2>&1 rm a <in &"), ["rm a"]);
}

#[test]
fn what_is_too_much_is_not_answered_by_half() {
    let none = |text: &str, word: &str| match survey(text) {
        Survey::Guessed { commands, why } => {
            assert!(commands.is_empty() && why.contains(word), "{commands:?} {why}");
        }
        Survey::Known(_) => panic!("`{text}` is known"),
    };
    none(&"a & ".repeat(MOST_FOUND + 1), "commands");
    none(&format!("echo {} &", "a".repeat(LONGEST_LINE)), "bytes");
    none(&format!("{} rm &", "sudo ".repeat(DEEPEST + 2)), "others");
    none(&"eval 'a & a &' & ".repeat(MOST_FOUND / 2), "commands");
}

#[test]
fn what_a_program_would_interpret_is_given_as_a_text() {
    let text = |line: &str| nested(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(nested(&argv(&["/bin/sh", "-e", "-c", "rm a"])).unwrap(), "rm a");
    assert_eq!(nested(&argv(&["bash", "-lc", "rm a", "x"])).unwrap(), "rm a");
    assert_eq!(nested(&argv(&["sudo", "-n", "rm", "it's"])).unwrap(), "'rm' 'it'\\''s'");
    assert_eq!(text("ssh -p 22 host rm a").unwrap(), "rm a");
    assert_eq!(text("watch -n 1 rm a").unwrap(), "rm a");
    assert_eq!(text("env -u A B=1 -- rm a").unwrap(), "'rm' 'a'");
    assert_eq!(text("su root -c ls").unwrap(), "ls");
    assert_eq!(text("nice -n5 rm a").unwrap(), "'rm' 'a'");
    assert_eq!(text("nice -n 5 rm a").unwrap(), "'rm' 'a'");
    for line in ["ls -c a", "sh script", "bash", "sudo", "find . -name x"] {
        assert_eq!(text(line), None, "{line}");
    }
}

#[test]
fn no_text_takes_long() {
    let started = Instant::now();
    for piece in [
        "(", "$(", "`", "\"", "'", "${", "((", "$((", "<<a\n", "[[", "case ", "\\`", "\"$(", "{a,", "a&",
        "eval ", "\"`", "a;\\`",
    ] {
        let _ = survey(&piece.repeat(LONGEST_LINE / piece.len()));
        let _ = survey(&format!("& {}", piece.repeat(200)));
    }
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-c '\"`$(){};|&<>\\\\\n!=\\[\\]*#]{0,80}") {
        let _ = survey(&text);
    }

    #[test]
    fn a_command_behind_anything_harmless_is_found(
        before in "[a-c]{1,3}( \\$\\([a-c]{1,3}\\)| '[^']{0,5}'| \"[a-c ;&]{0,5}\"){0,4}",
        between in "; |;;| & | && | \\|\\| |\n|\\|& ",
    ) {
        let found = guessed(&format!("true & {before}{between}rm -rf x"));
        prop_assert!(found.contains(&"rm -rf x".to_owned()), "{found:?}");
    }
}
