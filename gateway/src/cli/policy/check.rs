//! `sallyport policy check`.

use std::path::PathBuf;
use std::process::ExitCode;

use sallyport_policy::commands::{Assurance, ShellKind, Way, gathered};
use sallyport_policy::{Policy, lint};
use serde::Serialize;

use super::{Output, coloured, complain, files, json, say};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    policies: Vec<String>,
    /// The CommandSets that can be used.
    sets: Vec<String>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    /// What each policy's command rules are worth.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<Worth>,
}

/// A command rule, and what it is worth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Worth {
    policy: String,
    rule: String,
    text: String,
    /// `boundary`, or `guardrail` and why.
    assurance: String,
}

fn worths(policies: &[Policy]) -> Vec<Worth> {
    let mut all = Vec::new();
    for policy in policies {
        let Some(commands) = policy.commands() else { continue };
        let way = match commands.shell() {
            ShellKind::Open => Way::Open,
            ShellKind::Guarded => Way::Guarded,
        };
        all.extend(commands.rules(way).into_iter().map(|rule| Worth {
            policy: policy.name().to_string(),
            rule: rule.name,
            text: rule.text,
            assurance: match rule.assurance {
                Assurance::Boundary => "boundary".to_owned(),
                Assurance::Guardrail { because } => format!("guardrail: {because}"),
            },
        }));
    }
    all
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    file: String,
    line: u64,
    column: u64,
    what: String,
}

pub(super) fn run(paths: &[PathBuf], verbose: bool, output: Output) -> ExitCode {
    let read = files::read(paths);
    let policies: Vec<Policy> = read.policies.clone();
    let report = Report {
        policies: policies.iter().map(|policy| policy.name().to_string()).collect(),
        sets: read.sets.iter().map(|set| set.name().to_owned()).collect(),
        problems: read
            .problems
            .iter()
            .map(|problem| Problem {
                file: problem.path.display().to_string(),
                line: problem.place.line,
                column: problem.place.column,
                what: problem.what.clone(),
            })
            .collect(),
        warnings: lint(&policies).iter().map(ToString::to_string).collect(),
        commands: worths(&policies),
    };
    match output {
        Output::Json => json(&report),
        Output::Text => {
            for problem in &read.problems {
                complain(&problem.to_string());
            }
            for warning in &report.warnings {
                say(&format!("{} {warning}", coloured("33", "warning:")));
            }
            for policy in report.policies.iter().filter(|_| verbose) {
                let rules = report.commands.iter().filter(|worth| worth.policy == *policy);
                let rules =
                    rules.map(|worth| (worth.rule.clone(), worth.text.clone(), worth.assurance.as_str()));
                for (rule, text, assurance) in gathered(rules) {
                    say(&format!("policy `{policy}`: {rule}: {text} ({assurance})"));
                }
            }
            let weak = report.commands.iter().filter(|one| one.assurance != "boundary").count();
            if weak > 0 {
                say(&format!(
                    "{} command rules are boundaries, {weak} are guardrails (`--verbose` lists them)",
                    report.commands.len() - weak
                ));
            }
            let (good, bad) = (report.policies.len(), report.problems.len());
            let files = read.files;
            let sets = match report.sets.len() {
                0 => String::new(),
                sets => format!(" and {sets} CommandSets"),
            };
            say(&format!(
                "{files} files: {good} policies{sets} can be used, {bad} mistakes, {} warnings",
                report.warnings.len()
            ));
        }
    }
    if read.files == 0 {
        complain("no YAML or JSON files there");
    }
    if report.problems.is_empty() && read.files > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
