//! The decision.

mod hints;
mod people;

pub use people::gathered;

use std::sync::Arc;

use std::collections::HashMap;

use super::environment::Environment;
use super::facts::{Access, Stop, Touched};
use super::paths::normal;
use super::protected::Protected;
use super::reading::{Layer, Reading, Role, read};
use super::rule::{Misfit, Rule};
use super::{
    Assurance, Cleared, CommandsInput, Invocation, OnDenied, OnLostTrack, Once, ShellKind, Verdict, Way,
    named, shown,
};

/// Valid rules. Cheap to clone behind an `Arc`; deciding allocates little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    shell: ShellKind,
    on_denied: OnDenied,
    on_lost_track: OnLostTrack,
    allow: Indexed,
    deny: Indexed,
    /// Whether there is a list of what may run, be it empty: a set that loses its last allow rule opens nothing.
    listed: bool,
    protected: Protected,
    environment: Environment,
    rules_environment: bool,
    /// Rules that have to let a command pass as well.
    also: Option<Arc<Self>>,
    pipes: bool,
    redirections: bool,
}

/// Rules, found by what they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Indexed {
    rules: Vec<Rule>,
    named: HashMap<String, Vec<usize>>,
    any: Vec<usize>,
}

impl Indexed {
    fn push(&mut self, rule: Rule) {
        let at = self.rules.len();
        if rule.any {
            self.any.push(at);
        }
        for program in &rule.programs {
            self.named.entry(program.clone()).or_default().push(at);
        }
        self.rules.push(rule);
    }

    /// Those about a program, by its name or by the last part of its path, in their order.
    fn about(&self, name: &str) -> Vec<&Rule> {
        let base = super::paths::last(name);
        let mut at: Vec<usize> = self.any.clone();
        at.extend(self.named.get(name).into_iter().flatten());
        if base != name {
            at.extend(self.named.get(base).into_iter().flatten());
        }
        at.sort_unstable();
        at.dedup();
        at.into_iter().filter_map(|at| self.rules.get(at)).collect()
    }
}

/// A rule, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSummary {
    /// `allow[0]`, `observe: cat`, `deny[1]`, `allow[0] of java-team`; those that forbid begin with `deny[`.
    pub name: String,
    /// What it says, in a line.
    pub text: String,
    /// What it is worth in this way in.
    pub assurance: Assurance,
}

/// The most rules of a kind.
const MOST_RULES: usize = 1000;
/// The most words of a command, and the most bytes of all of them.
const MOST_WORDS: usize = 4096;
const MOST_BYTES: usize = 256 * 1024;

/// A no.
struct No {
    rule: String,
    stop: Stop,
    can_be_asked: bool,
}

impl No {
    fn new(rule: impl Into<String>, stop: Stop, can_be_asked: bool) -> Self {
        Self { rule: rule.into(), stop, can_be_asked }
    }

    fn unknown(stop: Stop) -> Self {
        Self::new("not known", stop, false)
    }
}

/// A yes.
struct Yes {
    rule: String,
    argv: Vec<String>,
    leak: Option<String>,
}

impl Commands {
    /// Checks rules.
    ///
    /// # Errors
    /// The field, as its YAML names it, and what is wrong there.
    pub fn parse(input: &CommandsInput) -> Result<Self, (String, String)> {
        if input.allow.len() > MOST_RULES || input.deny.len() > MOST_RULES {
            let field = if input.allow.len() > MOST_RULES { "allow" } else { "deny" };
            return Err((field.to_owned(), format!("has at most {MOST_RULES} rules")));
        }
        let mut allow = Indexed::default();
        let mut deny = Indexed::default();
        for (at, rule) in input.deny.iter().enumerate() {
            let name = format!("deny[{at}]");
            deny.push(
                Rule::parse(name.clone(), rule, false)
                    .map_err(|(field, problem)| (format!("{name}.{field}"), problem))?,
            );
        }
        for (at, rule) in input.allow.iter().enumerate() {
            let name = format!("allow[{at}]");
            allow.push(
                Rule::parse(name.clone(), rule, true)
                    .map_err(|(field, problem)| (format!("{name}.{field}"), problem))?,
            );
        }
        let (forbidding, allowing) = named::rules(input)?;
        forbidding.into_iter().for_each(|rule| deny.push(rule));
        allowing.into_iter().for_each(|rule| allow.push(rule));
        let protected = Protected::parse(input.protected_paths.as_deref());
        let environment = Environment::parse(input.environment.as_deref());
        Ok(Self {
            shell: input.shell,
            on_denied: input.on_denied,
            on_lost_track: input.on_lost_track,
            listed: !(input.allow.is_empty() && input.sets.is_empty()),
            allow,
            deny,
            protected: protected.map_err(|(at, problem)| (format!("protectedPaths[{at}]"), problem))?,
            rules_environment: input.environment.is_some(),
            also: None,
            environment: environment.map_err(|(at, problem)| (format!("environment[{at}]"), problem))?,
            pipes: input.pipes.unwrap_or(true),
            redirections: input.redirections.unwrap_or(true),
        })
    }

    /// Rules that let nothing run.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            shell: ShellKind::default(),
            on_denied: OnDenied::default(),
            on_lost_track: OnLostTrack::default(),
            allow: Indexed::default(),
            deny: Indexed::default(),
            listed: true,
            protected: Protected::default(),
            environment: Environment::default(),
            rules_environment: true,
            also: None,
            pipes: false,
            redirections: false,
        }
    }

    /// Which shell `shell` opens.
    #[must_use]
    pub const fn shell(&self) -> ShellKind {
        self.shell
    }

    /// What a denied command brings.
    #[must_use]
    pub const fn on_denied(&self) -> OnDenied {
        self.on_denied
    }

    /// What an open shell does when it can no longer tell what is typed.
    #[must_use]
    pub const fn on_lost_track(&self) -> OnLostTrack {
        self.on_lost_track
    }

    /// These rules and those: what both let run. Which shell it is, and what a denied command brings, these say.
    #[must_use]
    pub fn and(&self, also: Arc<Self>) -> Self {
        Self { also: Some(also), ..self.clone() }
    }

    /// What has to let a command pass as well.
    pub(super) fn also(&self) -> Option<&Self> {
        self.also.as_deref()
    }

    /// Whether there is a list of what may run, rather than only one of what may not.
    pub(super) fn lists(&self) -> bool {
        self.listed
    }

    /// Whether a command may run.
    #[must_use]
    pub fn judge(&self, invocation: &Invocation, way: Way) -> Verdict {
        if let Some(also) = &self.also {
            let verdict = also.judge(invocation, way);
            if verdict.cleared.is_none() {
                return verdict;
            }
        }
        let shown = shown::blotted(&invocation.argv);
        match self.decide(invocation, way) {
            Ok(Yes { rule, argv, leak }) => Verdict {
                cleared: Some(Cleared::new(argv)),
                assurance: worth(leak, way),
                rule,
                why: String::new(),
                instead: None,
                shown,
                once: None,
            },
            Err(No { rule, stop, can_be_asked }) => Verdict {
                cleared: None,
                rule,
                why: shown::sentence(&stop.why),
                instead: hints::shells_word(invocation, way).or(stop.instead).as_deref().map(shown::sentence),
                assurance: worth(self.around(), way),
                shown,
                once: can_be_asked.then(|| Once::new(invocation.argv.clone())),
            },
        }
    }

    fn decide(&self, invocation: &Invocation, way: Way) -> Result<Yes, No> {
        sane(&invocation.argv)?;
        let directory = invocation.directory.as_deref();
        let reading = read(&invocation.argv, directory);
        let redirected = redirected(invocation);
        self.forbidden(&reading, &redirected)?;
        if let Some(stop) = reading.unknowable.as_ref().filter(|_| way != Way::Open || self.lists()) {
            return Err(No::unknown(stop.clone()));
        }
        self.unprotected(&reading, &redirected, way)?;
        // In a shell of somebody's own without a list of what may run, variables are theirs unless the policy speaks of them.
        if way != Way::Open || self.lists() || self.rules_environment {
            self.environment(&invocation.environment, &reading)?;
        }
        if invocation.piped && !self.pipes {
            return Err(No::new(
                "pipes",
                Stop::new("this policy lets no command's output go to another one", "run them one by one"),
                true,
            ));
        }
        if !redirected.is_empty() && !self.redirections {
            return Err(No::new(
                "redirections",
                Stop::new(
                    "this policy lets no input or output come from or go to files",
                    "leave `<` and `>` out",
                ),
                true,
            ));
        }
        if !self.lists() {
            return Ok(Yes { rule: "no rule denies it".to_owned(), argv: reading.argv, leak: self.around() });
        }
        self.allowed(reading, &redirected)
    }

    fn forbidden(&self, reading: &Reading, redirected: &[Touched]) -> Result<(), No> {
        for (at, layer) in reading.layers.iter().enumerate() {
            let redirected = if at == reading.main { redirected } else { &[] };
            for rule in self.deny.about(&layer.facts.name) {
                if rule.forbids(&layer.facts, redirected) {
                    let why = rule
                        .message
                        .clone()
                        .unwrap_or_else(|| format!("{} forbids `{}` here", rule.name, layer.facts.name));
                    return Err(No::new(rule.name.clone(), Stop::new(why, ""), true));
                }
            }
        }
        Ok(())
    }

    fn unprotected(&self, reading: &Reading, redirected: &[Touched], way: Way) -> Result<(), No> {
        let touched = reading.layers.iter().flat_map(|layer| &layer.facts.touched).chain(redirected);
        for touched in touched {
            if touched.certain && touched.path.is_none() && way != Way::Open {
                return Err(No::unknown(Stop::new(
                    format!("where `{}` is cannot be known: the working directory is not", touched.written),
                    "write its whole path",
                )));
            }
            if let Some(pattern) = self.protected.hit(touched) {
                let path = touched.path.as_deref().unwrap_or(&touched.written);
                let why = match (touched.deep && touched.certain, touched.access) {
                    (true, _) => format!("below `{path}` is what no rule opens: `{pattern}`"),
                    (false, Access::Write) => format!("`{path}` is protected: nothing writes `{pattern}`"),
                    (false, _) => format!("`{path}` is protected: no rule opens `{pattern}`"),
                };
                let instead = if touched.deep {
                    "name the files themselves, or with a pattern: `DIR/*.log`"
                } else {
                    ""
                };
                return Err(No::new("protected paths", Stop::new(why, instead), true));
            }
        }
        Ok(())
    }

    fn environment(&self, given: &[(String, String)], reading: &Reading) -> Result<(), No> {
        for (name, value) in given.iter().chain(&reading.sets) {
            if let Some(why) = self.environment.refuses(name, value) {
                return Err(No::new("environment", Stop::new(why, format!("leave `{name}=…` out")), true));
            }
        }
        Ok(())
    }

    fn allowed(&self, reading: Reading, redirected: &[Touched]) -> Result<Yes, No> {
        let mut decided: Option<(&Rule, bool)> = None;
        let mut leak = None;
        let mut free = true;
        for (at, layer) in reading.layers.iter().enumerate() {
            if layer.role == Role::Glimpsed || (layer.role == Role::Free) {
                continue;
            }
            let rule = self.one(layer, if at == reading.main { redirected } else { &[] })?;
            leak = leak.or_else(|| rule.leaks());
            free = free && rule.may_start;
            if at == reading.main {
                decided = Some((rule, rule.may_start));
            } else if decided.is_none() {
                decided = Some((rule, false));
            }
        }
        let Some((rule, open)) = decided else {
            return Err(No::new("no rule", Stop::new("there is no command in it", ""), false));
        };
        let argv = if open { reading.argv } else { reading.closed };
        Ok(Yes { rule: rule.name.clone(), argv, leak })
    }

    /// The rule that lets one command pass.
    fn one(&self, layer: &Layer, redirected: &[Touched]) -> Result<&Rule, No> {
        let facts = &layer.facts;
        let mut nearest: Option<Misfit> = None;
        for rule in self.allow.about(&facts.name).into_iter().filter(|rule| rule.names(facts)) {
            match rule.admits(facts, redirected) {
                Ok(()) => return Ok(rule),
                Err(misfit) if nearest.as_ref().is_none_or(|best| misfit.rank > best.rank) => {
                    nearest = Some(misfit)
                }
                Err(_) => {}
            }
        }
        if let Some(misfit) = nearest {
            // What starts others is not known by an approver either.
            return Err(No::new("no rule", misfit.stop, misfit.rank < 9 && !misfit.slip));
        }
        if let Some(stop) = &facts.starts {
            return Err(No::new("no rule", stop.clone(), false));
        }
        if let Some(no) = self.mistyped(facts) {
            return Err(no);
        }
        let why = if facts.exact && facts.name.contains('/') {
            format!("`{}` is in none of the usual directories, and no rule names this path", facts.name)
        } else {
            format!("no rule allows `{}`", facts.name)
        };
        Err(No::new("no rule", Stop::new(why, self.nearby()), true))
    }

    /// How forbids can be got around: by what an allow rule opens.
    fn around(&self) -> Option<String> {
        if !self.lists() {
            return Some("without `allow` or `sets` everything runs that nothing denies".to_owned());
        }
        let rule = self.allow.rules.iter().find(|rule| rule.may_start || rule.any)?;
        Some(format!("{} opens more: {}", rule.name, rule.leaks().unwrap_or_default()))
    }

    /// Why programs may not be given a variable; `None` where they may.
    #[must_use]
    pub fn refuses_export(&self, name: &str, value: &str) -> Option<String> {
        let also = self.also().and_then(|also| also.refuses_variable(name, value));
        also.or_else(|| self.refuses_variable(name, value))
    }

    /// Why a variable may not be set; `None` where it may.
    pub(super) fn refuses_variable(&self, name: &str, value: &str) -> Option<String> {
        self.environment.refuses(name, value)
    }
}

fn worth(leak: Option<String>, way: Way) -> Assurance {
    match (way, leak) {
        (Way::Open, _) => Assurance::Guardrail {
            because: "in the container's own shell the typed line is read from the screen".to_owned(),
        },
        (_, Some(because)) => Assurance::Guardrail { because },
        (_, None) => Assurance::Boundary,
    }
}

/// Whether words can be a command at all.
fn sane(argv: &[String]) -> Result<(), No> {
    let no = |why: &str, instead: &str| Err(No::unknown(Stop::new(why, instead)));
    let Some(program) = argv.first().filter(|program| !program.is_empty()) else {
        return no("there is no program in it", "");
    };
    if argv.len() > MOST_WORDS || argv.iter().map(String::len).sum::<usize>() > MOST_BYTES {
        return no("the command is too long", "name fewer files");
    }
    if argv.iter().any(|word| word.contains('\0')) {
        return no("a word has a NUL in it", "");
    }
    if program.contains('=') {
        return no("a program's name has no `=`", "write `NAME=value` before the command, unquoted");
    }
    if program.starts_with('-') || program.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return no("this is not a program's name", "");
    }
    Ok(())
}

/// What redirections touch.
fn redirected(invocation: &Invocation) -> Vec<Touched> {
    let directory = invocation.directory.as_deref();
    let touched = |written: &String, access: Access| Touched {
        path: normal(written, directory),
        written: written.clone(),
        access,
        deep: false,
        certain: true,
    };
    let reads = invocation.reads.iter().map(|path| touched(path, Access::Read));
    reads.chain(invocation.writes.iter().map(|path| touched(path, Access::Write))).collect()
}
