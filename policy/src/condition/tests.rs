//! What is understood, what is refused, and what nothing may make fall over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::policy::tests::good;
use crate::{
    Action, History, Namespace, Person, PodName, Policy, PolicyInput, Question, Scope, TargetFacts, Use,
};

/// Evaluates on: alice of `oncall` and `dev`, 90 minutes, a Wednesday at 23:30 UTC, pod api-0 with app=api.
fn holds(source: &str) -> Result<bool, String> {
    let condition = Condition::parse(source)?;
    let deny = vec![(source.to_owned(), None)];
    let policy = Policy::parse("oncall-debug", &PolicyInput { deny, ..good() }).unwrap();
    let who = Person {
        username: "alice@example.com".into(),
        groups: BTreeSet::from(["oncall".into(), "dev".into()]),
    };
    let scope = Scope {
        ports: BTreeSet::from([5432]),
        ..Scope::of([Namespace::parse("payments").unwrap(), Namespace::parse("staging").unwrap()])
    };
    let history = History { denied_last_day: 2, ..History::default() };
    let question = Question {
        who: &who,
        scope: &scope,
        duration: Duration::from_secs(5400),
        reason: Some("checkout 500s"),
        ticket: Some("INC-7"),
        start: "2026-03-05T00:00:00Z".parse().unwrap(),
        history: &history,
        now: "2026-03-04T23:30:00Z".parse().unwrap(),
    };
    let labels = BTreeMap::from([("app".to_owned(), "api".to_owned())]);
    let (pod, namespace) = (PodName::parse("api-0").unwrap(), Namespace::parse("payments").unwrap());
    let target = TargetFacts { pod: &pod, container: None, labels: &labels, owner: None };
    let used = Use { action: &Action::Exec, namespace: &namespace, target: Some(target) };
    condition.holds(&Facts::new(&policy, &question, Some(&used)))
}

#[test]
fn conditions_speak_of_everything_that_is_documented() {
    for source in [
        "true",
        "person.username == 'alice@example.com' && 'oncall' in groups && person.groups == groups",
        "request.policy == 'oncall-debug' && !request.breakGlass",
        "request.namespaces.all(n, n in ['payments', 'staging']) && size(request.pods) == 0",
        "request.ports == [5432] && request.duration <= duration('2h') && request.duration > duration('1h')",
        "request.reason.contains('500') && request.ticket.matches('^INC-[0-9]+$')",
        "request.start == timestamp('2026-03-05T00:00:00Z') && request.start > now",
        "now.getHours() == 23 && now.getDayOfWeek() == 3 && now.getDate() == 4 && now.getMonth() == 2",
        // Berlin is an hour ahead: there it is Thursday already.
        "now.getHours('Europe/Berlin') == 0 && now.getDayOfWeek('Europe/Berlin') == 4",
        "history.deniedLastDay == 2 && history.openNow + history.askedLastHour == 0",
        "target.labels['app'] == 'api' && target.pod == 'api-0' && target.container == ''",
        "target.namespace == 'payments' && target.action == 'exec' && !('tier' in target.labels)",
        "has(target.labels.app) && !has(target.labels.tier)",
        "groups.exists(g, request.namespaces.exists(n, g != n))",
        "(1 < 2 ? true : false) && type(person.username) == string",
    ] {
        assert_eq!(holds(source), Ok(true), "{source}");
    }
}

#[test]
fn what_does_not_exist_is_an_error_when_it_is_read() {
    for (source, said) in [
        ("persn.username == 'x'", "at 1:1 of the expression: there is no `persn`; did you mean `person`?"),
        (
            "true &&\n  request.tickt == ''",
            "at 2:10 of the expression: there is no `request.tickt`; did you mean `ticket`?",
        ),
        ("person.email == 'x'", "there is no `person.email`"),
        ("groups.exists(g, h == 'x')", "there is no `h`"),
        ("groups.exists(g, true) && g == 'x'", "there is no `g`"),
        ("now.getHour() == 1", "there is no function `getHour`"),
        ("exec('rm')", "there is no function `exec`"),
        ("request.reason", "comes to string, not to true or false"),
        ("request.duration < 5", "no matching overload"),
        ("'oncall' in person", "of the expression"),
        ("1 +", "at 1:"),
        ("", "is empty"),
        (" \n ", "is empty"),
        ("Foo{a: 1} == 1", "there are no types"),
    ] {
        match Condition::parse(source) {
            Err(why) => assert!(why.contains(said) || said == "of the expression", "{source}: {why}"),
            Ok(_) => assert_eq!(said, "of the expression", "{source} was taken"),
        }
    }
}

#[test]
fn what_cannot_be_evaluated_is_told_and_never_holds() {
    for source in [
        "target.labels['tier'] == 'pci'",
        "now.getHours('Mars/Base') == 1",
        "1 / (request.ports[0] - 5432) == 0",
        "request.pods[0] == 'x'",
        "request.reason.matches('(')",
        "int(request.reason) == 1",
        "duration(request.reason) == duration('1h')",
        "timestamp(request.ticket) == now",
    ] {
        let said = holds(source);
        assert!(said.is_err(), "{source}: {said:?}");
    }
}

#[test]
fn when_a_condition_can_be_decided_is_known_from_what_it_mentions() {
    let of = |source| {
        let condition = Condition::parse(source).unwrap();
        (condition.needs_target(), condition.needs_history())
    };
    assert_eq!(of("'oncall' in groups"), (false, false));
    assert_eq!(of("groups.exists(g, g == target.pod)"), (true, false));
    assert_eq!(of("history.openNow == 0 || target.pod == ''"), (true, true));
    // A name of one's own hides the variable.
    assert_eq!(of("groups.exists(target, target == 'x')"), (false, false));
}

#[test]
fn hostile_expressions_are_refused_before_they_are_parsed() {
    let deep =
        |open: &str, close: &str, times: usize| format!("{}true{}", open.repeat(times), close.repeat(times));
    for source in [
        deep("(", ")", 10_000),
        deep("(", ")", 17),
        deep("[", "]", 17),
        "true ? ".repeat(17) + "true",
        "!".repeat(4000) + "true",
        "x".repeat(4097),
        "groups".to_owned() + &".exists(a, true)".repeat(60),
        "groups.exists(a, groups.exists(b, groups.exists(c, a == b)))".to_owned(),
        "a\0b".to_owned(),
        format!("{}1 == 1", "1 + ".repeat(60)),
        format!("groups{} == 1", "[0]".repeat(60)),
    ] {
        assert!(Condition::parse(&source).is_err(), "{}", source.chars().take(60).collect::<String>());
    }
}

#[test]
fn whatever_is_given_fits_a_small_stack() {
    // Half of what a thread of the gateway has.
    let worst = std::thread::Builder::new().stack_size(1024 * 1024).spawn(|| {
        for source in [
            "!".repeat(390) + "true",
            "-".repeat(390) + "1 == 1",
            format!("{}1 == 1", "1 + ".repeat(190)),
            format!("{}true", "true && ".repeat(130)),
            format!("request{}", ".policy".repeat(190)),
            format!("groups{} == 1", "[0]".repeat(120)),
            format!("{}true{}", "(".repeat(16), ")".repeat(16)),
            format!("{}true", "true ? true : ".repeat(80)),
            format!("{}1{} == 1", "[".repeat(16), "]".repeat(16)),
            "a.b.c.".repeat(60),
        ] {
            let _ = holds(&source);
        }
    });
    worst.unwrap().join().unwrap();
}

proptest! {
    #[test]
    fn no_text_makes_it_fall_over(source in ".{0,200}") {
        let _ = Condition::parse(&source);
    }

    #[test]
    fn no_mixture_of_words_makes_it_fall_over(words in prop::collection::vec(prop::sample::select(vec![
        "request", "person", "groups", "now", "target", ".", "labels", "exists", "(", ")", "[", "]", "x", ",", "==",
        "&&", "||", "!", "in", "'a'", "1", "?", ":", "-", "matches", "getHours", "duration", "{", "}", " ", "0.5", "null",
    ]), 0..60)) {
        let source = words.concat();
        if let Ok(condition) = Condition::parse(&source) {
            let _ = holds(condition.source());
        }
    }
}

#[test]
fn moments_before_the_epoch_and_far_away_are_moments() {
    for moment in [Timestamp::MIN, Timestamp::MAX, "1969-12-31T23:59:59.5Z".parse().unwrap()] {
        let _ = super::facts::moment_for_tests(moment);
    }
}
