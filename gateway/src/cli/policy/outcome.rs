//! What becomes of a case: the same decisions as the gateway's, with nothing around them.

use std::time::Duration;

use sallyport_policy::commands::{Invocation, ShellKind, Way};
use sallyport_policy::lifecycle::{Actor, Asked as AskedOnce, CheckAnswer, Command, Life, Stage, step};
use sallyport_policy::line::Unset;
use sallyport_policy::{
    Action, ContainerName, Namespace, PodName, Policy, Rule, TargetFacts, Use, Window, Workload,
    asking_rules, auto_approves, explain, may_ask, permits, using_rules,
};

use super::cases::{Case, Expect, Given, Someone, Used, UsedFor};
use super::given::{self, Asked};
use crate::commands::guarded::Past;

/// What came of a case.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) came: Expect,
    /// The rule that decided, where one forbade.
    pub(super) rule: Option<String>,
    pub(super) why: Option<String>,
    /// The rules that were reached.
    pub(super) reached: Vec<String>,
}

/// Decides a case.
///
/// # Errors
/// When what is given cannot be read.
pub(super) fn decide(policy: &Policy, case: &Case, given: &Given) -> Result<Outcome, String> {
    let asked = Asked::read(&case.given.over(given), policy)?;
    match &case.used {
        Some(used) => use_it(policy, &asked, used),
        None => Ok(ask(policy, &asked, &case.approvals)),
    }
}

/// What tells rules of the same name apart that both asking and using have.
fn named(rule: Rule, using: bool) -> String {
    match rule {
        Rule::Namespaces | Rule::ScopePorts if using => format!("{rule} (in use)"),
        rule => rule.to_string(),
    }
}

/// All rules of a policy that cases can reach: those that forbid something of this policy.
pub(super) fn rules(policy: &Policy) -> Vec<String> {
    let asking = asking_rules(policy).into_iter().filter(|rule| {
        // Limits that nobody wrote, and ports where there are none to choose from, are no rules of this policy.
        !matches!(rule, Rule::OpenLimit | Rule::HourlyLimit | Rule::ScopePorts)
    });
    let using = using_rules(policy).into_iter().filter(|rule| match rule {
        Rule::Allow | Rule::Deny(_) | Rule::When => true,
        Rule::Ports => !policy.ports().is_empty(),
        Rule::PodSelector => !policy.selector().is_everything(),
        _ => false,
    });
    let mut rules: Vec<String> =
        asking.map(|rule| named(rule, false)).chain(using.map(|rule| named(rule, true))).collect();
    if policy.has_auto_approve() {
        rules.push(Rule::AutoApprove.to_string());
    }
    rules.extend(policy.stages().iter().map(|stage| stage_name(&stage.name)));
    let mut seen = std::collections::BTreeSet::new();
    rules.retain(|rule| seen.insert(rule.clone()));
    rules
}

fn stage_name(name: &str) -> String {
    if name.is_empty() { Rule::Approvals.to_string() } else { format!("{} {name}", Rule::Stages) }
}

fn ask(policy: &Policy, asked: &Asked, approvals: &[Someone]) -> Outcome {
    let question = asked.question();
    let steps = explain(policy, &question).steps;
    let mut reached: Vec<String> =
        steps.iter().filter(|step| step.holds.is_some()).map(|step| step.rule.to_string()).collect();
    if let Err(denied) = may_ask(policy, &question) {
        let rule = Some(denied.rule.to_string());
        return Outcome { came: Expect::Denied, rule, why: Some(denied.why), reached };
    }
    let by_rule = auto_approves(policy, &question);
    let mut life = Life::begin(AskedOnce {
        by: given::principal(&asked.person.username),
        policy: policy.name().clone(),
        scope: asked.scope.clone(),
        duration: asked.duration,
        ticket: question.ticket.map(str::to_owned),
        start_at: asked.start,
        extends: None,
        at: asked.now,
    });
    let mut why = None;
    let mut take = |life: Life, command: &Command<'_>| {
        let taken = step(life, command, asked.now);
        let refused = taken.refused.map(|denied| denied.why);
        let fine = refused.is_none();
        why = refused.or(why.take());
        (taken.life, fine)
    };
    (life, _) = take(life, &Command::Open { policy, by_rule });
    // What external checks would say is not known here: they are taken to agree.
    for hook in policy.hooks() {
        let answer =
            CheckAnswer { name: hook.name.clone(), allow: Some(true), reasons: Vec::new(), at: asked.now };
        (life, _) = take(life, &Command::Answer { answer: &answer, policy });
    }
    (life, _) = take(life, &Command::Open { policy, by_rule });
    for who in approvals {
        let by = Actor { principal: given::principal(&who.username), person: given::person(who) };
        let stage = life.missing(policy).first().map(|missing| stage_name(&missing.stage));
        let counted;
        (life, counted) = take(life, &Command::Approve { by: &by, policy });
        reached.extend(stage.filter(|_| counted));
    }
    let came = if matches!(life.stage, Stage::Pending { .. }) { Expect::Waits } else { Expect::Approved };
    Outcome { came, rule: None, why: why.filter(|_| came == Expect::Waits), reached }
}

fn use_it(policy: &Policy, asked: &Asked, used: &Used) -> Result<Outcome, String> {
    let question = asked.question();
    if let Err(denied) = may_ask(policy, &question) {
        return Err(format!("such a grant cannot be asked for: {denied}"));
    }
    let action = match (used.action, used.port) {
        (UsedFor::Forward, Some(port)) => Action::Forward { port },
        (UsedFor::Forward, None) => return Err("`forward` needs a `port`".to_owned()),
        (UsedFor::Shell, _) => Action::Shell,
        (UsedFor::Exec, _) => Action::Exec,
        (UsedFor::Logs, _) => Action::Logs,
    };
    let namespace = match (&used.namespace, asked.scope.namespaces.first()) {
        (Some(name), _) => Namespace::parse(name).map_err(|error| error.to_string())?,
        (None, Some(only)) if asked.scope.namespaces.len() == 1 => only.clone(),
        (None, _) => return Err("`use` needs a `namespace`".to_owned()),
    };
    let pod = PodName::parse(&used.pod).map_err(|error| error.to_string())?;
    let container =
        used.container.as_deref().map(ContainerName::parse).transpose().map_err(|error| error.to_string())?;
    let owner =
        used.workload.as_deref().map(Workload::parse).transpose().map_err(|error| error.to_string())?;
    let target =
        TargetFacts { pod: &pod, container: container.as_ref(), labels: &used.labels, owner: owner.as_ref() };
    let once = Use { action: &action, namespace: &namespace, target: Some(target) };
    let start = question.start.min(asked.now);
    let end = asked.now.checked_add(asked.duration.max(Duration::from_secs(1))).unwrap_or(asked.now);
    let window = Window { start, end };
    let decided = permits(policy, &asked.scope, &window, &question, &once, asked.now);
    let by = decided.as_ref().err().map(|denied| denied.rule);
    let mut reached = Vec::new();
    for rule in using_rules(policy) {
        reached.push(named(rule, true));
        if Some(rule) == by {
            break;
        }
    }
    Ok(match decided {
        Ok(()) => match typed(policy, used)? {
            Some((rule, why)) => Outcome { came: Expect::Refused, rule: Some(rule), why: Some(why), reached },
            None => Outcome { came: Expect::Permitted, rule: None, why: None, reached },
        },
        Err(denied) => {
            let rule = Some(denied.rule.to_string());
            Outcome { came: Expect::Refused, rule, why: Some(denied.why), reached }
        }
    })
}

/// What the command rules say about a line, where one is given: the rule that refuses it, and why.
fn typed(policy: &Policy, used: &Used) -> Result<Option<(String, String)>, String> {
    let (Some(text), Some(commands)) = (&used.command, policy.commands()) else { return Ok(None) };
    let directory = used.directory.clone().or_else(|| Some("/".to_owned()));
    let verdicts = match (used.action, commands.shell()) {
        (UsedFor::Exec, _) => {
            let argv = shell_words::split(text).map_err(|error| format!("`command`: {error}"))?;
            vec![commands.judge(&Invocation { argv, ..Invocation::default() }, Way::Exec)]
        }
        (UsedFor::Shell, ShellKind::Guarded) => match Past::new(directory.as_deref()).line(text, commands) {
            Ok(verdicts) => verdicts,
            Err(error) => return Ok(Some(("grammar".to_owned(), error.to_string()))),
        },
        (UsedFor::Shell, ShellKind::Open) => commands.judge_text(text, directory.as_deref(), &Unset),
        (UsedFor::Logs | UsedFor::Forward, _) => {
            return Err("`command` goes with `exec` and `shell`".to_owned());
        }
    };
    Ok(verdicts.into_iter().find(|one| one.cleared.is_none()).map(|one| (one.rule, one.why)))
}
