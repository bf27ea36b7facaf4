//! `sallyport policy test`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use sallyport_policy::{Policy, did_you_mean};
use serde::Serialize;

use super::cases::{Case, Expect};
use super::files::{self, Read, Suite};
use super::outcome::{self, Outcome};
use super::{Output, coloured, complain, json, say};

/// How a case went.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ran {
    policy: String,
    case: String,
    at: String,
    ok: bool,
    expected: Expect,
    #[serde(skip_serializing_if = "Option::is_none")]
    came: Option<Expect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// How much of a policy its cases reach.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Coverage {
    policy: String,
    rules: usize,
    reached: usize,
    never: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    cases: Vec<Ran>,
    coverage: Vec<Coverage>,
    /// Of all rules of all policies, in percent.
    percent: u8,
    failed: usize,
}

/// Runs all cases of what was read.
pub(super) fn report(read: &Read) -> Report {
    let policies: BTreeMap<_, _> = read.policies.iter().map(|one| (one.name().to_string(), one)).collect();
    let mut reached: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut cases = Vec::new();
    for suite in &read.suites {
        let wanted = &suite.test.policy;
        let policy = policies.get(wanted).copied().ok_or_else(|| {
            let near = did_you_mean(wanted, policies.keys().map(String::as_str));
            format!("there is no policy `{wanted}` in these files{near}")
        });
        for (case, place) in suite.test.cases.iter().zip(&suite.places) {
            let at = format!("{}:{place}", suite.path.display());
            let (result, outcome) = one(suite, case, policy.as_ref(), at);
            cases.push(result);
            if let (Ok(policy), Some(outcome)) = (&policy, outcome) {
                reached.entry(policy.name().as_str()).or_default().extend(outcome.reached);
            }
        }
    }
    let coverage: Vec<_> =
        policies.values().map(|policy| covered(policy, reached.get(policy.name().as_str()))).collect();
    let (rules, hit) =
        coverage.iter().fold((0, 0), |(rules, hit), one| (rules + one.rules, hit + one.reached));
    let percent = u8::try_from((hit * 100).checked_div(rules).unwrap_or(100)).unwrap_or(100);
    let failed = cases.iter().filter(|case| !case.ok).count();
    Report { cases, coverage, percent, failed }
}

pub(super) fn run(paths: &[PathBuf], least: Option<u8>, verbose: bool, output: Output) -> ExitCode {
    let read = files::read(paths);
    for problem in &read.problems {
        complain(&problem.to_string());
    }
    let report = report(&read);
    match output {
        Output::Json => json(&report),
        Output::Text => text(&report, verbose),
    }
    let enough = least.is_none_or(|least| report.percent >= least);
    if !enough {
        complain(&format!(
            "cases reach {} % of the rules, less than {} %",
            report.percent,
            least.unwrap_or(0)
        ));
    }
    if report.cases.is_empty() {
        complain("no cases; docs/policies.md shows how they are written");
    }
    let well = report.failed == 0 && enough && read.problems.is_empty() && !report.cases.is_empty();
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(suite: &Suite, case: &Case, policy: Result<&&Policy, &String>, at: String) -> (Ran, Option<Outcome>) {
    let mut result = Ran {
        policy: suite.test.policy.clone(),
        case: case.name.clone(),
        at,
        ok: false,
        expected: case.expect,
        came: None,
        rule: None,
        why: None,
    };
    let policy = match policy {
        Ok(policy) => policy,
        Err(why) => {
            result.why = Some(why.clone());
            return (result, None);
        }
    };
    match outcome::decide(policy, case, &suite.test.given) {
        Err(error) => {
            result.why = Some(error);
            (result, None)
        }
        Ok(outcome) => {
            let by_rule = case.rule.is_none() || case.rule == outcome.rule;
            result.ok = outcome.came == case.expect && by_rule;
            result.came = Some(outcome.came);
            result.rule.clone_from(&outcome.rule);
            result.why.clone_from(&outcome.why);
            (result, Some(outcome))
        }
    }
}

fn covered(policy: &Policy, reached: Option<&BTreeSet<String>>) -> Coverage {
    let rules = outcome::rules(policy);
    let never: Vec<_> =
        rules.iter().filter(|rule| reached.is_none_or(|reached| !reached.contains(*rule))).cloned().collect();
    Coverage {
        policy: policy.name().to_string(),
        rules: rules.len(),
        reached: rules.len() - never.len(),
        never,
    }
}

fn text(report: &Report, verbose: bool) {
    for case in &report.cases {
        if case.ok && !verbose {
            continue;
        }
        let word = if case.ok { coloured("32", "ok") } else { coloured("31", "FAILED") };
        say(&format!("{word} {}: {}", case.policy, case.case));
        if !case.ok {
            say(&format!("    at {}", case.at));
            let came = case.came.map_or_else(|| "nothing".to_owned(), |came| came.to_string());
            say(&format!("    expected {}, came to {came}", case.expected));
            if let Some(rule) = &case.rule {
                say(&format!("    decided by {rule}"));
            }
            if let Some(why) = &case.why {
                say(&format!("    {why}"));
            }
        }
    }
    for one in &report.coverage {
        if !one.never.is_empty() {
            say(&format!("{}: no case reaches {}", one.policy, one.never.join(", ")));
        }
    }
    let (all, failed) = (report.cases.len(), report.failed);
    let said =
        if failed == 0 { format!("{all} cases passed") } else { format!("{failed} of {all} cases failed") };
    say(&format!("{said}; they reach {} % of the rules", report.percent));
}

#[cfg(test)]
impl Report {
    pub(super) fn failed(&self) -> Vec<String> {
        self.cases.iter().filter(|case| !case.ok).map(|case| format!("{case:?}")).collect()
    }

    pub(super) const fn percent(&self) -> u8 {
        self.percent
    }

    pub(super) fn never(&self) -> Vec<String> {
        self.coverage
            .iter()
            .flat_map(|one| one.never.iter().map(|rule| format!("{}: {rule}", one.policy)))
            .collect()
    }
}
