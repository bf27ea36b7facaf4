//! What stays in force, and what is closed.

use serde_json::json;

use super::*;

fn entry(uid: &str, longest: &str) -> (String, Entry<AccessPolicy>) {
    let object: AccessPolicy = serde_json::from_value(json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy",
        "metadata": {"name": "debug", "uid": uid, "generation": 1},
        "spec": {
            "subjects": {"groups": ["oncall"]}, "namespaces": ["payments"], "allow": {"exec": true},
            "clusterRole": "view", "maxDuration": longest, "approval": {"required": 0},
        },
    }))
    .unwrap();
    ("debug".to_owned(), Ok(Arc::new(object)))
}

/// The same, with commands by these sets.
fn naming(longest: &str, sets: &[&str]) -> (String, Entry<AccessPolicy>) {
    let (name, object) = entry("1", longest);
    let mut object = (*object.unwrap()).clone();
    object.spec.commands = serde_json::from_value(json!({"sets": sets})).unwrap();
    (name, Ok(Arc::new(object)))
}

fn set(uid: &str, generation: i64, spec: serde_json::Value) -> (String, Entry<CommandSet>) {
    let object: CommandSet = serde_json::from_value(json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "CommandSet",
        "metadata": {"name": "java-team", "uid": uid, "generation": generation}, "spec": spec,
    }))
    .unwrap();
    ("java-team".to_owned(), Ok(Arc::new(object)))
}

fn allowing(uid: &str, generation: i64, programs: &[&str]) -> (String, Entry<CommandSet>) {
    set(uid, generation, json!({"allow": [{"programs": programs}]}))
}

/// What may run under the policy; `None` where it is not in force.
fn programs(state: &State) -> Option<String> {
    let in_force = state.table.get("debug")?;
    Some(in_force.policy.commands()?.programs().join(" "))
}

const BAD: &[&str] = &["bash"];

#[test]
fn a_policy_is_closed_until_its_set_is_there_and_says_which() {
    let mut state = State::default();
    let news = state.update(vec![], vec![naming("1h", &["observe", "java-team"])]);
    let why = "commands.sets[1]: there is no CommandSet `java-team`: make it, or take it out of `sets`";
    let rejected = News::Rejected { name: "debug".into(), why: why.into(), kept: false };
    assert_eq!(news, [rejected]);
    assert_eq!(programs(&state), None);
    let closed = &state.closed["debug"];
    assert_eq!((closed.why.as_str(), closed.groups.contains("oncall")), (why, true));
    // Told once.
    assert_eq!(state.update(vec![], vec![naming("1h", &["observe", "java-team"])]), []);
    let news = state.update(vec![allowing("s", 1, &["jcmd"])], vec![naming("1h", &["observe", "java-team"])]);
    assert_eq!(news, [News::SetLoaded("java-team".into()), News::Loaded("debug".into())]);
    assert!(programs(&state).unwrap().contains("jcmd") && state.closed.is_empty());
    let observed = &state.table["debug"].observed;
    assert_eq!((observed.sets[0].uid.as_str(), observed.sets.len()), ("s", 1));
    assert_eq!(observed.parse("debug").unwrap(), state.table["debug"].policy);
}

#[test]
fn a_set_that_is_taken_away_closes_what_was_in_force() {
    let mut state = State::default();
    state.update(vec![allowing("s", 1, &["jcmd"])], vec![naming("1h", &["java-team"])]);
    assert_eq!(programs(&state).as_deref(), Some("jcmd"));
    let news = state.update(vec![], vec![naming("1h", &["java-team"])]);
    assert!(matches!(&news[..], [News::Rejected { kept: false, .. }]), "{news:?}");
    assert_eq!(programs(&state), None);
    assert!(state.closed.contains_key("debug"));
}

#[test]
fn a_changed_set_changes_the_policies_that_name_it() {
    let mut state = State::default();
    state.update(vec![allowing("s", 1, &["jcmd", "jstack"])], vec![naming("1h", &["java-team"])]);
    let news = state.update(vec![allowing("s", 2, &["jcmd"])], vec![naming("1h", &["java-team"])]);
    assert_eq!(news, [News::SetLoaded("java-team".into()), News::Loaded("debug".into())]);
    assert_eq!(programs(&state).as_deref(), Some("jcmd"));
    assert_eq!(state.table["debug"].observed.sets[0].generation, 2);
}

#[test]
fn a_set_that_turns_bad_stays_as_it_was_and_one_that_never_was_good_closes() {
    let mut state = State::default();
    state.update(vec![allowing("s", 1, &["jcmd"])], vec![naming("1h", &["java-team"])]);
    let news = state.update(vec![allowing("s", 2, BAD)], vec![naming("1h", &["java-team"])]);
    assert!(
        matches!(&news[..], [News::SetRejected { kept: true, why, .. }] if why.contains("allow[0].programs[0]")),
        "{news:?}"
    );
    assert_eq!(programs(&state).as_deref(), Some("jcmd"));
    assert_eq!(state.table["debug"].observed.sets[0].generation, 1);
    // Another object of the same name inherits nothing.
    let news = state.update(vec![allowing("t", 1, BAD)], vec![naming("1h", &["java-team"])]);
    let [News::Rejected { kept: false, why, .. }] = &news[..] else { panic!("{news:?}") };
    assert!(why.contains("the CommandSet `java-team` cannot be used (allow[0].programs[0]"), "{why}");
    assert_eq!(programs(&state), None);
    let unreadable = ("java-team".to_owned(), Err(Arc::from("missing field `programs`")));
    let news = state.update(vec![unreadable], vec![naming("1h", &["java-team"])]);
    assert!(matches!(&news[..], [News::SetRejected { kept: false, .. }, News::Rejected { .. }]), "{news:?}");
}

#[test]
fn the_last_good_form_of_a_policy_has_its_sets_as_they_are_now() {
    let mut state = State::default();
    state.update(vec![allowing("s", 1, &["jcmd", "jstack"])], vec![naming("1h", &["java-team"])]);
    // The policy turns bad, and then its set narrower: the narrowing counts.
    state.update(vec![allowing("s", 1, &["jcmd", "jstack"])], vec![naming("soon", &["java-team"])]);
    assert_eq!(programs(&state).as_deref(), Some("jcmd jstack"));
    state.update(vec![allowing("s", 2, &["jcmd"])], vec![naming("soon", &["java-team"])]);
    assert_eq!((programs(&state).as_deref(), longest(&state).as_deref()), (Some("jcmd"), Some("1h")));
    let news = state.update(vec![], vec![naming("soon", &["java-team"])]);
    let [News::Rejected { kept: false, why, .. }] = &news[..] else { panic!("{news:?}") };
    assert!(why.starts_with("commands.sets[0]") && programs(&state).is_none(), "{why}");
    // Also where the policy no longer names it itself.
    let mut state = State::default();
    state.update(vec![allowing("s", 1, &["jcmd"])], vec![naming("1h", &["java-team"])]);
    let news = state.update(vec![], vec![naming("soon", &["observe"])]);
    let [News::Rejected { kept: false, why, .. }] = &news[..] else { panic!("{news:?}") };
    assert!(why.starts_with("maxDuration") && why.contains("no CommandSet `java-team`"), "{why}");
}

#[test]
fn a_built_in_name_is_taken_by_no_set() {
    let mut state = State::default();
    let (_, object) = allowing("s", 1, &["jcmd"]);
    let mut object = (*object.unwrap()).clone();
    object.metadata.name = Some("observe".to_owned());
    let news =
        state.update(vec![("observe".to_owned(), Ok(Arc::new(object)))], vec![naming("1h", &["observe"])]);
    assert!(
        matches!(&news[..], [News::SetRejected { kept: false, why, .. }, News::Loaded(_)] if why.contains("built-in")),
        "{news:?}"
    );
    assert!(programs(&state).unwrap().contains("uptime"), "the built-in set is what it is");
}

fn longest(state: &State) -> Option<String> {
    state.table.get("debug").map(|in_force| in_force.observed.spec.max_duration.clone())
}

#[test]
fn a_policy_that_turns_bad_leaves_the_last_good_one_in_force_and_is_told_once() {
    let mut state = State::default();
    assert_eq!(state.update(vec![], vec![entry("1", "1h")]), [News::Loaded("debug".into())]);
    let news = state.update(vec![], vec![entry("1", "soon")]);
    assert!(matches!(&news[..], [News::Rejected { kept: true, why, .. }] if why.starts_with("maxDuration")));
    assert_eq!(longest(&state).as_deref(), Some("1h"));
    assert_eq!(state.update(vec![], vec![entry("1", "soon")]), []);
    let unreadable = ("debug".to_owned(), Err(Arc::from("missing field `spec`")));
    assert!(matches!(&state.update(vec![], vec![unreadable])[..], [News::Rejected { kept: true, .. }]));
    assert_eq!(longest(&state).as_deref(), Some("1h"));
    assert_eq!(state.update(vec![], vec![entry("1", "2h")]), [News::Loaded("debug".into())]);
    assert_eq!(longest(&state).as_deref(), Some("2h"));
}

#[test]
fn a_bad_policy_does_not_inherit_from_a_deleted_one_of_its_name() {
    let mut state = State::default();
    state.update(vec![], vec![entry("1", "1h")]);
    let news = state.update(vec![], vec![entry("2", "soon")]);
    assert!(matches!(&news[..], [News::Rejected { kept: false, .. }]));
    assert_eq!(longest(&state), None);
}

#[test]
fn a_deleted_policy_is_not_in_force() {
    let mut state = State::default();
    state.update(vec![], vec![entry("1", "1h")]);
    state.update(vec![], vec![]);
    assert_eq!(longest(&state), None);
}
