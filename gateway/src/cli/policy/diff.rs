//! `sallyport policy diff`.

use std::path::Path;
use std::process::ExitCode;

use sallyport_policy::{Direction, Policy, diff};

use super::{Output, coloured, complain, files, json, say};

/// 0: no difference; 1: there are some; 2: something cannot be read.
pub(super) fn run(old: &Path, new: &Path, output: Output) -> ExitCode {
    let (old, new) = (files::read(&[old.to_owned()]), files::read(&[new.to_owned()]));
    for problem in old.problems.iter().chain(&new.problems) {
        complain(&problem.to_string());
    }
    if !old.problems.is_empty() || !new.problems.is_empty() {
        return ExitCode::from(2);
    }
    let policies = |read: &files::Read| -> Vec<Policy> { read.policies.clone() };
    let found = diff(&policies(&old), &policies(&new));
    match output {
        Output::Json => {
            let word = |direction| match direction {
                Direction::Gain => "gain",
                Direction::Loss => "loss",
                Direction::Change => "change",
            };
            let list: Vec<_> = found
                .iter()
                .map(|one| serde_json::json!({ "policy": one.policy, "direction": word(one.direction), "what": one.what }))
                .collect();
            json(&list);
        }
        Output::Text if found.is_empty() => say("nobody gains or loses anything"),
        Output::Text => {
            for one in &found {
                let colour = match one.direction {
                    Direction::Gain => "32",
                    Direction::Loss => "31",
                    Direction::Change => "33",
                };
                say(&coloured(colour, &one.to_string()));
            }
        }
    }
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
