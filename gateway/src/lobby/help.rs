//! Help: what each command is for, how it is typed, and an example of each habit. The flags come from the parser's own table.

use std::fmt::Write as _;

use super::command::Topic;
use super::near;
use super::usage::UsageError;
use super::verb::{Flag, Takes, Verb};

mod pages;

/// What is known about one command.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) usage: &'static str,
    /// One line, for the overview.
    pub(super) about: &'static str,
    /// What else there is to say; may be empty.
    more: &'static str,
    examples: &'static [&'static str],
}

const fn new(
    usage: &'static str,
    about: &'static str,
    more: &'static str,
    examples: &'static [&'static str],
) -> Page {
    Page { usage, about, more, examples }
}

pub(super) const fn page(verb: Verb) -> &'static Page {
    match verb {
        Verb::Help => &HELP,
        Verb::WhoAmI => &WHOAMI,
        Verb::Login => &LOGIN,
        Verb::BreakGlass => &BREAK_GLASS,
        Verb::Policies => &POLICIES,
        Verb::Rules => &pages::RULES,
        Verb::Request => &pages::REQUEST,
        Verb::Requests => &REQUESTS,
        Verb::Approve => &APPROVE,
        Verb::Deny => &DENY,
        Verb::Grants => &GRANTS,
        Verb::Revoke => &REVOKE,
        Verb::Extend => &pages::EXTEND,
        Verb::Withdraw => &pages::WITHDRAW,
        Verb::Why => &pages::WHY,
        Verb::Reviews => &pages::REVIEWS,
        Verb::Review => &pages::REVIEW,
        Verb::Locks => &pages::LOCKS,
        Verb::Lock => &pages::LOCK,
        Verb::Unlock => &pages::UNLOCK,
        Verb::Pods => &PODS,
        Verb::Shell => &SHELL,
        Verb::Exec => &EXEC,
        Verb::Logs => &LOGS,
    }
}

static HELP: Page = new(
    "help [COMMAND | targets | tunnels | status]",
    "what can be typed here",
    "",
    &["help", "help exec", "exec --help", "help tunnels"],
);
static WHOAMI: Page =
    new("whoami [-o json]", "who you are here, and until when", "", &["whoami", "whoami -o json"]);
static LOGIN: Page = new(
    "login",
    "sign in with your key: a code to confirm in the browser, then a certificate",
    "The code is shown on stderr; the certificate, for the key that this connection used, is printed on stdout.\n\
     Put it beside the key, under the key's name with `-cert.pub` at its end; ssh finds it there.\n",
    &["login > ~/.ssh/id_ed25519-cert.pub"],
);
static BREAK_GLASS: Page = new(
    "break-glass",
    "sign in with sealed codes while the sign-in provider is down",
    "It asks for a code of yours and for codes of others (ssh -t hides them). The certificate on stdout is good for\n\
     15 minutes and for break-glass policies only.\n",
    &["break-glass > ~/.ssh/id_ed25519-cert.pub"],
);
static POLICIES: Page =
    new("policies [-o json]", "what you could ask for", "", &["policies", "policies -o json"]);
static REQUESTS: Page = new(
    "requests [-o json]",
    "your requests, and those that wait for you",
    "",
    &["requests", "requests -o json"],
);
static APPROVE: Page = new(
    "approve REQUEST",
    "let someone in; nobody approves their own request",
    "",
    &["approve oncall-debug-7k2m9x"],
);
static DENY: Page = new(
    "deny REQUEST [--reason WORDS]",
    "say no to a request",
    "",
    &["deny oncall-debug-7k2m9x --reason ask the payments team first"],
);
static GRANTS: Page =
    new("grants [-o json]", "what you may use now, and until when", "", &["grants", "grants -o json"]);
static REVOKE: Page = new(
    "revoke GRANT [--reason WORDS]",
    "end a grant now: your own, or one that you may approve",
    "Its sessions are cut within a second.\n",
    &["revoke oncall-debug-7k2m9x", "revoke oncall-debug-7k2m9x --reason incident is over"],
);
static PODS: Page = new(
    "pods [-n NS]",
    "the pods that a grant of yours covers",
    "",
    &["pods -n payments", "pods -n payments -o json"],
);
static SHELL: Page = new(
    "shell TARGET [-n NS] [-c CONTAINER]",
    "a shell in a pod: bash where it has one, else sh; the gateway's own where the policy says so",
    "A terminal needs `ssh -t`. See `help targets` for the ways to name a pod. `rules` lists what a policy lets run;\n\
     in the gateway's own shell `help` does.\n",
    &["-t shell -n payments deploy/api", "-t shell -n payments api-0 -c app"],
);
static EXEC: Page = new(
    "exec TARGET [-n NS] [-c CONTAINER] -- COMMAND [ARGUMENT…]",
    "run one command in a pod, without a shell in between",
    "Standard input goes to the command, to its end; stdout, stderr and the exit status come back as they are.\n\
     Everything after `--` is the command's own. For pipes and variables bring a shell, and quote for both sides;\n\
     where the policy rules commands, `shell` has them.\n",
    &[
        "exec -n payments api-0 -- cat /etc/hostname",
        "exec -n payments deploy/api -c app -- tar c /data > data.tar",
        "\"exec -n payments api-0 -- sh -c 'ls /data | wc -l'\"",
    ],
);
static LOGS: Page = new(
    "logs TARGET [-n NS] [-c CONTAINER] [-f] [--tail LINES] [--since DURATION] [--timestamps] [-p]",
    "a container's log",
    "",
    &["logs -n payments deploy/api -f --since 10m", "logs -n payments api-0 -c app --tail 100 --timestamps"],
);

const TARGETS: &str = "\
A target is a pod, or something that has pods, as kubectl writes it:
  api-0               the pod
  deploy/api          a pod of the Deployment; also sts/NAME, job/NAME, svc/NAME
                      (deployment/, deployments.apps/, statefulset/, pod/ mean the same)
  -n payments         the namespace; may be left out when your grants cover only one
  -c app              the container; left out: the one its annotation names, or the first

It can stand in the user name instead, as POD.NAMESPACE or POD.NAMESPACE+CONTAINER:
  ssh api-0.payments@prod-gw                 a shell
  ssh api-0.payments+app@prod-gw ls -l /     a command
Pods may have dots in their names, namespaces may not: what follows the last dot is the namespace.
There, words that begin with a command of this page (`logs`, `exec`, `whoami`, …) are that command.
";

const TUNNELS: &str = "\
A tunnel goes to a name that Kubernetes has for a Service or a pod, by plain ssh:
  ssh -N -L 5432:postgres.payments.svc:5432 prod-gw     a port of a Service; a named port's number
  ssh -N -L 8080:api-0.payments.pod:8080 prod-gw        a port of a pod
  ssh -W postgres.payments.svc:5432 prod-gw             one connection, on stdin and stdout
The policy lists the ports. Names may end in `.svc.cluster.local` too.
";

const STATUS: &str = "\
ssh exits with the status of the command in the pod, and with 255 for its own troubles. Besides:
   64  the command line is not understood
   69  the Kubernetes API is out of reach
   77  refused: no grant allows it, or a rule forbids it; one line says which and what to type;
       with `request --wait`: denied
   78  the session was cut: its grant has ended, was revoked or locked; with `request --wait`: expired
   79  the session cannot be recorded, and its policy says it must be
";

/// The topics that are no commands.
const TOPICS: [(&str, Topic); 3] =
    [("targets", Topic::Targets), ("tunnels", Topic::Tunnels), ("status", Topic::Status)];

/// What `help WORD` is about.
pub(super) fn topic(word: &str) -> Result<Topic, UsageError> {
    let topics = TOPICS.into_iter();
    if let Some((_, topic)) = topics.clone().find(|(name, _)| *name == word) {
        return Ok(topic);
    }
    if let Some(verb) = Verb::named(word) {
        return Ok(Topic::Verb(verb));
    }
    let names = Verb::names().chain(topics.map(|(name, _)| name));
    let instead = near::synonym(word).or_else(|| near::nearest(word, names));
    Err(UsageError::UnknownTopic { word: word.to_owned(), instead })
}

/// The text of a topic, ending with a line feed.
#[must_use]
pub(super) fn text(topic: Topic) -> String {
    match topic {
        Topic::Overview => overview(),
        Topic::Verb(verb) => of_verb(verb),
        Topic::Targets => TARGETS.to_owned(),
        Topic::Tunnels => TUNNELS.to_owned(),
        Topic::Status => STATUS.to_owned(),
    }
}

fn overview() -> String {
    let mut text = "Type after `ssh prod-gw`:\n".to_owned();
    let width = Verb::ALL.iter().map(|verb| verb.name().len()).max().unwrap_or_default();
    for verb in Verb::ALL {
        let _ = writeln!(text, "  {:<width$}  {}", verb.name(), page(verb).about);
    }
    text.push_str(
        "\n`help COMMAND` shows its flags and examples; `help targets`, `help tunnels` and `help status`\n",
    );
    text.push_str("say how a pod is named, how `ssh -L` reaches a port, and what exit statuses mean.\n");
    text
}

fn of_verb(verb: Verb) -> String {
    let page = page(verb);
    let mut text = format!("{}\n\n  ssh prod-gw {}\n", sentence(page.about), page.usage);
    if !page.more.is_empty() {
        let _ = write!(text, "\n{}", page.more);
    }
    text.push_str("\nFlags:\n");
    let flags: Vec<(String, &str)> = verb.flags().iter().map(|flag| (typed(flag), flag.about)).collect();
    let width = flags.iter().map(|(typed, _)| typed.len()).max().unwrap_or_default();
    for (typed, about) in flags {
        let _ = writeln!(text, "  {typed:<width$}  {about}");
    }
    text.push_str("\nExamples:\n");
    for example in page.examples {
        let _ = match example.strip_prefix("-t ") {
            Some(rest) => writeln!(text, "  ssh -t prod-gw {rest}"),
            None => writeln!(text, "  ssh prod-gw {example}"),
        };
    }
    text
}

fn typed(flag: &Flag) -> String {
    let short = flag.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
    match flag.takes {
        Takes::Nothing => format!("{short}--{}", flag.long),
        Takes::Value(value) | Takes::Values(value) | Takes::Words(value) => {
            format!("{short}--{} {value}", flag.long)
        }
    }
}

fn sentence(about: &str) -> String {
    let mut chars = about.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lobby::{Command, parse};

    #[test]
    fn every_example_of_every_page_is_a_line_that_parses() {
        for verb in Verb::ALL {
            assert!(!page(verb).examples.is_empty());
            for example in page(verb).examples {
                let local = example.split(" > ").next().unwrap();
                let joined = shell_words::split(local.trim_start_matches("-t ")).unwrap().join(" ");
                let parsed = parse(&joined, "").unwrap_or_else(|error| panic!("{example}: {error}"));
                let fits = parsed.name() == verb.name() || matches!(parsed, Command::Help(_));
                assert!(fits, "{example} is {}", parsed.name());
            }
        }
    }

    #[test]
    fn a_page_is_within_a_narrow_terminal_and_has_no_blanks_at_line_ends() {
        let topics = Verb::ALL.into_iter().map(Topic::Verb).chain(TOPICS.map(|(_, topic)| topic));
        for topic in topics.chain([Topic::Overview]) {
            for line in text(topic).lines() {
                assert!(line.chars().count() <= 112 && !line.ends_with(' '), "{topic:?}: {line:?}");
            }
        }
    }

    #[test]
    fn what_each_verb_is_for_stands_in_one_column() {
        let overview = text(Topic::Overview);
        let columns = Verb::ALL.map(|verb| {
            let line = overview.lines().find(|line| line.ends_with(page(verb).about)).unwrap();
            let (name, about) = line.trim_start().split_once("  ").unwrap();
            assert_eq!((name, about.trim_start()), (verb.name(), page(verb).about));
            line.len() - page(verb).about.len()
        });
        assert!(columns.iter().all(|column| *column == columns[0]), "{columns:?}");
    }

    #[test]
    fn the_page_of_a_command_shows_usage_flags_and_examples() {
        let expected = "\
Say no to a request.

  ssh prod-gw deny REQUEST [--reason WORDS]

Flags:
      --reason WORDS       why; every word up to the next flag
  -o, --output json|table  json for programs, table for people (default)
  -h, --help               show this help

Examples:
  ssh prod-gw deny oncall-debug-7k2m9x --reason ask the payments team first
";
        assert_eq!(text(Topic::Verb(Verb::Deny)), expected);
    }

    #[test]
    fn an_unknown_topic_names_the_nearest() {
        assert_eq!(
            topic("tunels").unwrap_err().to_string(),
            "no help on `tunels`, did you mean `tunnels`; `help` lists what there is"
        );
    }
}
