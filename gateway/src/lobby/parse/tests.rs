use proptest::prelude::*;

use super::*;
use crate::bridge::TargetKind;
use crate::lobby::Request;
use crate::lobby::words::MAX_LINE;

fn error(line: &str) -> String {
    error_as(line, "")
}

fn error_as(line: &str, user: &str) -> String {
    parse(line, user).unwrap_err().to_string()
}

fn namespace(name: &str) -> Namespace {
    Namespace::parse(name).unwrap()
}

fn pod(name: &str, ns: Option<&str>, container: Option<&str>) -> TargetArg {
    TargetArg {
        namespace: ns.map(namespace),
        kind: TargetKind::Pod,
        name: name.parse().unwrap(),
        container: container.map(|name| name.parse().unwrap()),
    }
}

#[test]
fn no_words_are_the_lobby_and_with_a_target_in_the_user_name_a_shell() {
    assert_eq!(parse("", "alice"), Ok(Command::Lobby));
    assert_eq!(parse("  ", ""), Ok(Command::Lobby));
    let target = pod("api-0", Some("payments"), Some("app"));
    assert_eq!(parse("", "api-0.payments+app"), Ok(Command::Shell(Shell { target })));
}

#[test]
fn a_request_is_read_as_it_arrives_from_ssh() {
    let line = "request oncall-debug -n payments,staging -n payments --for 1h30m --reason INC-4711 checkout can't pay #1";
    let expected = Request {
        policy: "oncall-debug".parse().unwrap(),
        namespaces: vec![namespace("payments"), namespace("staging")],
        workloads: Vec::new(),
        pods: Vec::new(),
        containers: Vec::new(),
        ports: Vec::new(),
        duration: Some(Duration::from_secs(5400)),
        start: None,
        ticket: None,
        wait: None,
        reason: Some("INC-4711 checkout can't pay #1".to_owned()),
        output: Output::Table,
    };
    assert_eq!(parse(line, "alice"), Ok(Command::Request(expected)));
}

#[test]
fn verdicts_name_a_request() {
    let verdict = |name: &str, reason: Option<&str>| Verdict {
        name: name.parse().unwrap(),
        reason: reason.map(str::to_owned),
        output: Output::Table,
    };
    assert_eq!(
        parse("approve oncall-debug-7k2m9x", ""),
        Ok(Command::Approve(verdict("oncall-debug-7k2m9x", None)))
    );
    assert_eq!(parse("deny r-1 --reason ask sam", ""), Ok(Command::Deny(verdict("r-1", Some("ask sam")))));
    assert_eq!(parse("revoke r-1", ""), Ok(Command::Revoke(verdict("r-1", None))));
}

#[test]
fn exec_takes_its_command_after_the_dashes_as_it_is() {
    let parsed = parse("exec -it -n payments api-0 -c app -- sh -c 'echo $HOME | wc' -n x", "alice");
    let argv = ["sh", "-c", "echo $HOME | wc", "-n", "x"].map(str::to_owned).into();
    let target = pod("api-0", Some("payments"), Some("app"));
    assert_eq!(parsed, Ok(Command::Exec(Exec { target, argv, tty: true })));
}

#[test]
fn exec_without_dashes_shows_the_line_to_type() {
    assert_eq!(
        error("exec -n payments api-0 cat /etc/hostname"),
        "put `--` before the command that runs in the pod: exec -n payments api-0 -- cat /etc/hostname"
    );
    assert_eq!(
        error("exec -n payments api-0 ls -la /"),
        "put `--` before the command that runs in the pod: exec -n payments api-0 -- ls -la /"
    );
    assert_eq!(
        error_as("exec sh -c 'a b'", "api-0.payments"),
        "put `--` before the command that runs in the pod: \"exec -- sh -c 'a b'\""
    );
}

#[test]
fn a_line_shown_as_the_right_one_is_right() {
    for line in ["exec -n payments api-0 cat f", "exec api-0 -n x sh -c 'a | b'", "exec api-0 ls --all"] {
        let message = error(line);
        let typed = message.split_once(": ").unwrap().1;
        let sent = shell_words::split(typed).unwrap().join(" ");
        assert!(matches!(parse(&sent, ""), Ok(Command::Exec(_))), "{sent}");
    }
}

#[test]
fn a_command_line_of_exec_that_lacks_something_says_what() {
    assert_eq!(
        error("exec -n payments -- ls"),
        "`exec` needs a target: POD, deploy/NAME, sts/NAME or job/NAME: \
         exec TARGET [-n NS] [-c CONTAINER] -- COMMAND [ARGUMENT…]"
    );
    assert!(error("exec api-0").starts_with("`exec` needs a command after `--`: exec TARGET"));
    assert_eq!(
        error("exec api-0 --"),
        "there is no command after `--`; for a shell type `shell` instead of `exec`"
    );
    assert_eq!(
        error("shell api-0 -n payments -- ls"),
        "`shell` takes no command after `--`; `exec` runs one: exec api-0 -n payments -- ls"
    );
}

#[test]
fn a_target_in_the_user_name_serves_every_command_that_needs_one() {
    let target = || pod("api-0", Some("payments"), None);
    let argv = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let user = "api-0.payments";
    let exec = |words: &[&str]| Ok(Command::Exec(Exec { target: target(), argv: argv(words), tty: false }));
    assert_eq!(parse("exec -- whoami", user), exec(&["whoami"]));
    assert_eq!(parse("ls -l 'a b'", user), exec(&["ls", "-l", "a b"]));
    assert_eq!(parse("shell", user), Ok(Command::Shell(Shell { target: target() })));
    assert_eq!(parse("whoami", user), Ok(Command::WhoAmI(Output::Table)));
    let Ok(Command::Logs(logs)) = parse("logs -f -c app", user) else { panic!() };
    assert_eq!((logs.target, logs.follow), (pod("api-0", Some("payments"), Some("app")), true));
}

#[test]
fn the_user_name_and_the_line_must_agree() {
    let user = "api-0.payments+app";
    assert_eq!(
        error_as("logs api-1", user),
        "the user name before `@` already says target `api-0`, and the command line `api-1`"
    );
    assert!(error_as("shell -n staging", user).contains("says namespace `payments`"));
    assert!(error_as("shell -c sidecar", user).contains("says container `app`"));
    assert!(parse("shell -n payments -c app", user).is_ok());
}

#[test]
fn an_operator_where_no_shell_is_shows_how_to_bring_one() {
    assert_eq!(
        error_as("ls /data | wc -l", "api-0.payments"),
        "`|` would need a shell, and there is none in between: \"exec -- sh -c 'ls /data | wc -l'\""
    );
    assert!(parse("grep 'a|b' f", "api-0.payments").is_ok());
}

#[test]
fn logs_takes_kubectls_flags() {
    let parsed = parse("logs deploy/api -n payments -f --tail=10 --since 10m --timestamps -p", "");
    let expected = Logs {
        target: TargetArg { kind: TargetKind::Deployment, ..pod("api", Some("payments"), None) },
        follow: true,
        tail: Some(10),
        since: Some(Duration::from_secs(600)),
        timestamps: true,
        previous: true,
    };
    assert_eq!(parsed, Ok(Command::Logs(expected)));
    let Ok(Command::Logs(all)) = parse("logs api-0 --tail -1", "") else { panic!() };
    assert_eq!(all.tail, None);
    assert_eq!(
        error("logs api-0 --tail ten"),
        "the number of lines `ten` is not valid: write how many lines, like `--tail 100`"
    );
    assert!(error("logs api-0 --since yesterday").contains("`yesterday` is not a length of time"));
}

#[test]
fn help_is_found_in_every_habit() {
    for line in ["help exec", "exec --help", "exec -h", "exec -n payments api-0 --help"] {
        assert_eq!(parse(line, ""), Ok(Command::Help(Topic::Verb(Verb::Exec))), "{line}");
    }
    for line in ["help", "--help", "-h"] {
        assert_eq!(parse(line, ""), Ok(Command::Help(Topic::Overview)), "{line}");
    }
    let Ok(Command::Exec(_)) = parse("exec api-0 -- ls --help", "") else { panic!() };
}

#[test]
fn an_unknown_command_names_the_nearest_and_where_help_is() {
    for (line, expected) in [
        ("requset p", "unknown command `requset`, did you mean `request`; `help` lists the commands"),
        ("get pods", "unknown command `get`, did you mean `pods`; `help` lists the commands"),
        ("kubectl logs x", "unknown command `kubectl`, did you mean `logs`; `help` lists the commands"),
        ("frobnicate", "unknown command `frobnicate`; `help` lists the commands"),
        ("\u{1b}[2J", "unknown command `�[2J`; `help` lists the commands"),
    ] {
        assert_eq!(error(line), expected);
    }
}

#[test]
fn names_are_checked_before_they_go_anywhere() {
    for line in [
        "pods -n ../x",
        "pods -n a,b",
        "pods -n 'a b'",
        "approve A",
        "request ../p",
        "request p -n",
        "shell 'a\nb'",
        "shell api-0 -c a/b",
        "exec a%2fb -- ls",
        "request p -n a,,b",
    ] {
        let text = error(line);
        assert!(!text.contains('\n') && !text.is_empty(), "{line}: {text:?}");
    }
}

#[test]
fn words_too_many_and_too_few_are_told() {
    assert_eq!(error("grants all"), "`grants` does not know what to do with `all`: grants [-o json]");
    assert_eq!(
        error("approve"),
        "`approve` needs the name of a request (`requests` lists them): approve REQUEST"
    );
    assert_eq!(error("whoami -o yaml"), "the output format `yaml` is not valid: write `json` or `table`");
}

#[test]
fn a_reason_that_took_too_much_is_told_apart() {
    assert_eq!(
        error("request --reason INC-1 oncall-debug -n payments"),
        "`request` needs the name of a policy (`policies` lists them), \
         and `--reason` takes every word up to the next flag: put it last"
    );
}

#[test]
fn a_whole_line_is_bounded() {
    assert!(matches!(parse(&"x".repeat(MAX_LINE + 1), ""), Err(UsageError::LineTooLong)));
    let text = error(&"x".repeat(MAX_LINE));
    assert!(text.len() < 200, "{text}");
}

/// Lines made of what the parser knows, so that generated input reaches all of it.
fn lines() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("--".to_owned()),
        proptest::sample::select(Verb::ALL.map(Verb::name).to_vec()).prop_map(str::to_owned),
        proptest::sample::select(vec![
            "-n",
            "-c",
            "-it",
            "-o",
            "--reason",
            "--for",
            "--tail",
            "-f",
            "--since=1h",
            "-h"
        ])
        .prop_map(str::to_owned),
        "(deploy/|sts/)?[a-z]{1,4}(-[0-9])?",
        "[0-9]{1,3}[hms]",
        "['\"\\\\ a-z$|]{0,5}",
        any::<String>(),
    ];
    prop::collection::vec(word, 0..10).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_line_makes_the_parser_fall_over_and_every_error_is_one_harmless_line(line in lines(), user in "([a-z.+/]{0,12})|.{0,8}") {
        if let Err(error) = parse(&line, &user) {
            let text = error.to_string();
            prop_assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn an_argv_that_is_quoted_arrives_word_for_word(argv in prop::collection::vec("[^\0]{0,10}", 1..6)) {
        let line = format!("exec -n payments api-0 -- {}", shell_words::join(&argv));
        let Ok(Command::Exec(exec)) = parse(&line, "") else { return Err(TestCaseError::fail(line)) };
        prop_assert_eq!(exec.argv, argv);
    }

    #[test]
    fn a_reason_of_plain_words_arrives_word_for_word(words in prop::collection::vec("[a-zA-Z0-9,.#:/()]{0,4}[a-z]('[a-z]{1,3})?", 1..8)) {
        let reason = words.join(" ");
        let Ok(Command::Request(request)) = parse(&format!("request p -n a --reason {reason} --for 1h"), "") else {
            return Err(TestCaseError::fail(reason));
        };
        prop_assert_eq!(request.reason, Some(reason));
        prop_assert_eq!(request.duration, Some(Duration::from_secs(3600)));
    }
}
