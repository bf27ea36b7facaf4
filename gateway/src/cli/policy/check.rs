//! `sallyport policy check`.

use std::path::PathBuf;
use std::process::ExitCode;

use sallyport_policy::{Policy, lint};
use serde::Serialize;

use super::{Output, coloured, complain, files, json, say};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    policies: Vec<String>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    file: String,
    line: u64,
    column: u64,
    what: String,
}

pub(super) fn run(paths: &[PathBuf], output: Output) -> ExitCode {
    let read = files::read(paths);
    let policies: Vec<Policy> = read.policies.iter().map(|one| one.policy.clone()).collect();
    let report = Report {
        policies: policies.iter().map(|policy| policy.name().to_string()).collect(),
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
            let (good, bad) = (report.policies.len(), report.problems.len());
            let files = read.files;
            say(&format!(
                "{files} files: {good} policies can be used, {bad} mistakes, {} warnings",
                report.warnings.len()
            ));
        }
    }
    if read.files == 0 {
        complain("no YAML or JSON files there");
    }
    if report.problems.is_empty() && read.files > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
