//! What holds for every command under rules about paths. Used by the fuzzer, and by a test on stable.

use std::sync::OnceLock;

use sallyport_policy::commands::{Commands, CommandsInput, Invocation, RuleInput, Way};

const READABLE: &str = "/var/log";
const WRITABLE: &str = "/tmp";

fn rules() -> &'static Commands {
    static RULES: OnceLock<Commands> = OnceLock::new();
    RULES.get_or_init(made)
}

fn made() -> Commands {
    let allow = vec![RuleInput {
        programs: vec!["cat".to_owned()],
        reads: Some(vec![format!("{READABLE}/**")]),
        writes: Some(vec![format!("{WRITABLE}/**")]),
        ..RuleInput::default()
    }];
    Commands::parse(&CommandsInput { allow, ..CommandsInput::default() }).expect("rules")
}

/// Bytes as a command: the directory, files read from and written to, and arguments, each on a line of its own.
fn invocation(bytes: &[u8]) -> Invocation {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n').map(str::to_owned);
    let directory = lines.next().filter(|directory| directory.starts_with('/'));
    let some = |line: Option<String>| line.filter(|line| !line.is_empty()).into_iter().collect::<Vec<_>>();
    let (reads, writes) = (some(lines.next()), some(lines.next()));
    let argv = std::iter::once("cat".to_owned()).chain(lines).collect();
    Invocation { argv, directory, reads, writes, ..Invocation::default() }
}

/// Panics where something does not hold.
pub(crate) fn check(bytes: &[u8]) {
    let rules = rules();
    let invocation = invocation(bytes);
    for way in [Way::Exec, Way::Guarded, Way::Open] {
        let verdict = rules.judge(&invocation, way);
        assert_eq!(verdict, rules.judge(&invocation, way), "the same question has two answers");
        if verdict.cleared.is_none() {
            assert!(!verdict.why.is_empty(), "a refusal without a reason");
            continue;
        }
        let directory = invocation.directory.as_deref();
        let mut flags = true;
        for argument in invocation.argv.iter().skip(1) {
            if flags && argument.starts_with('-') {
                flags = argument != "--";
            } else if !matches!(argument.as_str(), "-" | "") && !nothing_there(argument, directory) {
                // `-` is its input, and no file has an empty name.
                assert!(
                    below(argument, directory, READABLE),
                    "{way:?}: `cat` of {argument:?} in {directory:?} passed"
                );
            }
        }
        assert!(
            invocation
                .reads
                .iter()
                .all(|file| below(file, directory, READABLE) || nothing_there(file, directory)),
            "{way:?}: {:?}",
            invocation.reads
        );
        assert!(
            invocation
                .writes
                .iter()
                .all(|file| below(file, directory, WRITABLE) || nothing_there(file, directory)),
            "{way:?}: {:?}",
            invocation.writes
        );
    }
    // Whatever is written as rules is rules or a refusal.
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\n').map(|part| vec![part.to_owned()]);
    let rule = RuleInput {
        programs: parts.next().unwrap_or_default(),
        flags: parts.next(),
        args: parts.next(),
        reads: parts.next(),
        writes: parts.next(),
        ..RuleInput::default()
    };
    let deny = RuleInput { programs: rule.programs.clone(), ..RuleInput::default() };
    // The default lists are the same every time, and reading them takes most of the time.
    let (protected_paths, environment) = (Some(Vec::new()), Some(Vec::new()));
    let input = CommandsInput {
        deny: vec![deny],
        allow: vec![rule],
        protected_paths,
        environment,
        ..CommandsInput::default()
    };
    match Commands::parse(&input) {
        Ok(rules) => {
            // Programs that are both allowed and forbidden are forbidden.
            let verdict = rules.judge(&invocation, Way::Guarded);
            assert!(verdict.cleared.is_none(), "a forbid did not win: {input:?} {invocation:?}");
        }
        Err((field, problem)) => assert!(!field.is_empty() && !problem.is_empty()),
    }
}

/// Whether it is one of the files that every process has and that hold nothing.
fn nothing_there(path: &str, directory: Option<&str>) -> bool {
    ["null", "stdin", "stdout", "stderr", "tty", "zero"]
        .iter()
        .any(|name| simply(path, directory).as_deref() == Some(format!("/dev/{name}").as_str()))
}

/// The same question, asked as simply as it can be.
fn below(path: &str, directory: Option<&str>, top: &str) -> bool {
    simply(path, directory).is_some_and(|whole| whole == top || whole.starts_with(&format!("{top}/")))
}

fn simply(path: &str, directory: Option<&str>) -> Option<String> {
    let whole = match (path.starts_with('/'), directory) {
        (true, _) => path.to_owned(),
        (false, Some(directory)) => format!("{directory}/{path}"),
        (false, None) => return None,
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    Some(format!("/{}", parts.join("/")))
}
