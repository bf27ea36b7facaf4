//! `sallyport policy explain`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sallyport_policy::{Explanation, Outcome, did_you_mean, explain};

use super::cases::{Given, Someone};
use super::given::Asked;
use super::{Output, coloured, complain, files, json, say};

/// What to explain.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Files or directories with policies
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only this policy
    #[arg(short, long)]
    policy: Option<String>,
    /// The username of who asks
    #[arg(long = "as", value_name = "USERNAME")]
    who: String,
    /// A group of theirs; may be given several times
    #[arg(short, long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Where; may be given several times
    #[arg(short, long = "namespace", value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    /// Only this workload, such as deployment/api; may be given several times
    #[arg(long = "workload", value_name = "KIND/NAME")]
    workloads: Vec<String>,
    /// Only this pod; may be given several times
    #[arg(long = "pod", value_name = "POD")]
    pods: Vec<String>,
    /// Tunnels only to this port; may be given several times
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<u16>,
    /// For how long
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// The ticket
    #[arg(long)]
    ticket: Option<String>,
    /// The time, RFC 3339 [default: the present]
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Explain {
    pub(super) fn run(self) -> ExitCode {
        let read = files::read(&self.paths);
        for problem in &read.problems {
            complain(&problem.to_string());
        }
        let some = |list: &Vec<String>| Some(list.clone()).filter(|list| !list.is_empty());
        let given = Given {
            person: Some(Someone { username: self.who.clone(), groups: self.groups.clone() }),
            namespaces: some(&self.namespaces),
            workloads: some(&self.workloads),
            pods: some(&self.pods),
            ports: Some(self.ports.clone()),
            duration: self.duration.clone(),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            now: Some(
                self.now
                    .clone()
                    .unwrap_or_else(|| crate::clock::Clock::now(&crate::clock::SystemClock).to_string()),
            ),
            ..Given::default()
        };
        let named = |name: &str| self.policy.as_deref().is_none_or(|wanted| wanted == name);
        let mut explained = 0;
        let mut all = Vec::new();
        for one in read.policies.iter().filter(|one| named(one.name().as_str())) {
            explained += 1;
            match Asked::read(&given, one) {
                Ok(asked) => {
                    let explanation = explain(one, &asked.question());
                    match self.output {
                        Output::Json => all.push(serde_json::json!({
                            "policy": one.name().to_string(),
                            "explanation": json_of(&explanation),
                        })),
                        Output::Text => text(one.name().as_str(), &explanation),
                    }
                }
                Err(error) => {
                    complain(&error);
                    return ExitCode::from(64);
                }
            }
        }
        if explained == 0 {
            complain(&match &self.policy {
                Some(name) => {
                    let near = did_you_mean(name, read.policies.iter().map(|one| one.name().as_str()));
                    format!("no policy `{name}` in these files{near}")
                }
                None => "no policies in these files".to_owned(),
            });
            return ExitCode::FAILURE;
        }
        if self.output == Output::Json {
            json(&all);
        }
        if read.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn json_of(explanation: &Explanation) -> serde_json::Value {
    let (outcome, by) = match &explanation.outcome {
        Outcome::Approved { by } => ("approved", Some(by.to_string())),
        Outcome::Waits => ("waits", None),
        Outcome::Denied { by } => ("denied", Some(by.to_string())),
    };
    let steps: Vec<_> = explanation
        .steps
        .iter()
        .map(
            |step| serde_json::json!({ "rule": step.rule.to_string(), "holds": step.holds, "why": step.why }),
        )
        .collect();
    serde_json::json!({ "outcome": outcome, "by": by, "steps": steps })
}

fn text(policy: &str, explanation: &Explanation) {
    let outcome = match &explanation.outcome {
        Outcome::Approved { by } => format!("{} at once, by {by}", coloured("32", "approved")),
        Outcome::Waits => format!("{} for approval", coloured("33", "waits")),
        Outcome::Denied { by } => format!("{}, by {by}", coloured("31", "denied")),
    };
    say(&format!("{policy}: {outcome}"));
    let width = explanation.steps.iter().map(|step| step.rule.to_string().len()).max().unwrap_or_default();
    for step in &explanation.steps {
        let mark = match step.holds {
            Some(true) => coloured("32", "yes"),
            Some(false) => coloured("31", "no "),
            None => "-  ".to_owned(),
        };
        say(format!("  {mark}  {:width$}  {}", step.rule.to_string(), step.why).trim_end());
    }
}
