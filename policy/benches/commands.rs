//! How long a typed line takes from its text to its verdict while 500 rules are loaded: `cargo bench --workspace --bench
//! commands`. It prints the time at the 50th and 99th percentile and what that is of the aim, and asserts nothing about
//! time: a busy machine is not a fault.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark is for people to read")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use sallyport_policy::commands::{Commands, CommandsInput, Invocation, RuleInput, Way};
use sallyport_policy::line::{Variables, expand, parse};

const RULES: usize = 500;
const DECISIONS: usize = 20_000;
const AIM: Duration = Duration::from_micros(100);

/// What people type, allowed and not.
const LINES: [(&str, bool); 12] = [
    ("ls -la", true),
    ("cat /var/log/app/current.log", true),
    ("grep -n ERROR /var/log/app/current.log | tail -n 20", true),
    ("ps -eo pid,ppid,args", true),
    ("curl -s http://localhost:8080/health", true),
    ("LANG=C sort -k2 -n /var/log/a > /tmp/sorted", false),
    ("psql -h db -c 'select count(*) from orders'", true),
    ("cat $HOME/.ssh/id_ed25519", false),
    ("rm -rf /tmp/x", false),
    ("timeout 5 nice -n 10 cat /var/log/a", true),
    ("tool-17 --mode=fast status", true),
    ("find /var/log -name '*.log' -exec grep -l ERROR {} +", true),
];

struct Session;

impl Variables for Session {
    fn get(&self, name: &str) -> Option<&str> {
        (name == "HOME").then_some("/root")
    }
}

fn main() {
    let began = Instant::now();
    let commands = Commands::parse(&rules()).expect("valid rules");
    println!("{} rules read in {:?}", commands.rules(Way::Guarded).len(), began.elapsed());
    for (line, allowed) in LINES {
        assert_eq!(decide(&commands, line), allowed, "{line}");
    }
    let all: Vec<&str> = LINES.iter().map(|(line, _)| *line).collect();
    report("all of them", &all, &commands);
    for line in all {
        report(line, &[line], &commands);
    }
}

/// The sets, and rules for programs of one's own, every other one a forbid.
fn rules() -> CommandsInput {
    let rule = |number: usize| RuleInput {
        programs: vec![
            format!("tool-{number}"),
            if number.is_multiple_of(10) { "grep".into() } else { format!("other-{number}") },
        ],
        flags: Some(vec!["--mode=fast".into(), "-v".into()]),
        args: Some(vec!["status|list".into(), format!("shop-{number}-[a-z]+")]),
        reads: Some(vec![format!("/srv/{number}/**")]),
        ..RuleInput::default()
    };
    let deny = |number: usize| RuleInput {
        programs: vec![
            format!("no-{number}"),
            if number.is_multiple_of(25) { "*".into() } else { "cat".into() },
        ],
        ..rule(number)
    };
    let allow = (0..RULES / 2).map(|number| RuleInput { reads: None, ..rule(number) }).collect();
    CommandsInput {
        sets: ["observe", "debug", "database-read"].map(str::to_owned).to_vec(),
        allow,
        deny: (0..RULES / 2).map(deny).collect(),
        ..CommandsInput::default()
    }
}

/// Whether a line would run: all of it, as the guarded shell does it.
fn decide(commands: &Commands, line: &str) -> bool {
    let Ok(script) = parse(line) else { return false };
    script.steps.iter().flat_map(|step| &step.pipeline.commands).all(|simple| {
        let text = |words: &[_]| {
            expand(words, &Session).map(|fields| fields.iter().map(|field| field.text()).collect::<Vec<_>>())
        };
        let Ok(argv) = text(&simple.words) else { return false };
        let environment = simple
            .assignments
            .iter()
            .filter_map(|(name, word)| Some((name.clone(), text(std::slice::from_ref(word)).ok()?.join(" "))))
            .collect();
        let writes = if simple.redirections.is_empty() { Vec::new() } else { vec!["/tmp/sorted".to_owned()] };
        let invocation = Invocation {
            argv,
            environment,
            writes,
            directory: Some("/app".to_owned()),
            ..Invocation::default()
        };
        commands.judge(&invocation, Way::Guarded).cleared.is_some()
    })
}

fn report(what: &str, lines: &[&str], commands: &Commands) {
    let mut times: Vec<Duration> = lines
        .iter()
        .cycle()
        .take(DECISIONS)
        .map(|line| {
            let began = Instant::now();
            black_box(decide(commands, black_box(line)));
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (p50, p99) = (at(&times, 50), at(&times, 99));
    println!(
        "{what:<56} p50 {p50:>10.1?}, p99 {p99:>10.1?} ({:.2} of the aim)",
        p99.as_secs_f64() / AIM.as_secs_f64()
    );
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len().saturating_sub(1)) * percent / 100).copied().unwrap_or_default()
}
