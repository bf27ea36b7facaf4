//! Command rules that are written once, as a CommandSet, and named by policies.

use sallyport_tests::{World, seconds, until};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_set_of_ones_own_counts_wherever_it_is_named_and_a_missing_one_closes_the_policy,
        a_set_may_not_take_a_built_in_name,
    ]
}

const SETS: &str = "/apis/sallyport.dev/v1alpha1/commandsets";

/// A CommandSet of one case, gone with it.
struct Set<'w> {
    world: &'w World,
    name: String,
}

impl<'w> Set<'w> {
    fn new(world: &'w World, word: &str) -> Self {
        Self { world, name: format!("{word}-{}", world.tag()) }
    }

    fn write(&self, spec: &Value) {
        self.world.api.apply(&json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "CommandSet",
            "metadata": {"name": self.name, "labels": {"sallyport-test": self.world.tag()}}, "spec": spec,
        }));
    }

    fn delete(&self) {
        self.world.api.delete(&format!("{SETS}/{}", self.name));
    }
}

impl Drop for Set<'_> {
    fn drop(&mut self) {
        // A case that has failed may have left no API server: nothing here may panic.
        let path = format!("{SETS}/{}", self.name);
        let _ = self.world.api.attempt(reqwest::Method::DELETE, &path, None);
    }
}

fn a_set_of_ones_own_counts_wherever_it_is_named_and_a_missing_one_closes_the_policy(world: &World) {
    let set = Set::new(world, "java-team");
    let deny =
        json!([{"programs": ["echo"], "args": ["forbidden.*"], "message": "that word is not for here"}]);
    set.write(&json!({"description": "a test", "allow": [{"programs": ["echo", "true"]}], "deny": deny}));
    let place = world.plan("own-set").with("commands", json!({"sets": [set.name]})).make(world);
    let grant = place.grant("1h");
    assert_eq!(place.exec("echo by a set").exits(0).out, "by a set\n");
    place.exec("echo forbidden").exits(77).says("that word is not for here");
    place.exec("uname").exits(77).says("no rule allows");
    let ran = |word: &str| {
        let event = world
            .event("session.command", |e| e["place"]["namespace"] == *place.name && e["command"][1] == *word);
        (event["rule"].clone(), event["assurance"].clone())
    };
    assert_eq!(ran("by"), (json!(format!("allow[0] of {}", set.name)), json!("boundary")));
    assert_eq!(ran("forbidden").0, json!(format!("deny[0] of {}", set.name)));
    let stored = place.request(&grant).expect("the request");
    assert_eq!(stored["status"]["policy"]["sets"][0]["name"], *set.name, "{stored}");

    // Changed: what is gone counts at the next session, what is new does not for a grant that was approved before.
    set.write(&json!({"allow": [{"programs": ["true", "uname"]}], "deny": deny}));
    until("what the set lost is refused", seconds(60), || (place.exec("echo x").code == 77).then_some(()));
    place.exec("true").exits(0);
    place.exec("uname").exits(77);
    world.alice().words(["revoke", &grant]).run().exits(0);
    place.grant("1h");
    place.exec("uname").exits(0);
    place.exec("echo x").exits(77);

    // Gone: nothing is opened, nothing is asked for, and everybody whom it concerns is told which set it is.
    set.delete();
    let missing = format!("there is no CommandSet `{}`", set.name);
    until("the missing set is known", seconds(60), || (place.exec("true").code == 77).then_some(()));
    place.exec("true").exits(77).says(&missing);
    place.ask("1h").exits(77).says(&missing);
    world.event("policy.rejected", |e| {
        let why = e["why"].as_str().unwrap_or_default();
        e["policy"] == *place.name && why.contains(&missing) && why.contains("it is not in force")
    });
    let listed = world.alice().words(["policies", "-o", "json"]).run().exits(0);
    assert!(!listed.out.contains(&place.name), "{}", listed.out);

    // Back, and the grant opens again.
    set.write(&json!({"allow": [{"programs": ["true"]}]}));
    until("the set is back", seconds(60), || (place.exec("true").code == 0).then_some(()));
    place.exec("uname").exits(77);
}

fn a_set_may_not_take_a_built_in_name(world: &World) {
    let object = json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "CommandSet",
        "metadata": {"name": "observe", "labels": {"sallyport-test": world.tag()}},
        "spec": {"allow": [{"programs": ["echo"]}]},
    });
    let made = world.api.attempt(reqwest::Method::POST, SETS, Some(("application/json", &object)));
    let (status, body) = made.expect("an answer");
    if status == 201 {
        // An API server that does not evaluate the rule of the custom resource: the gateway says it.
        world.event("set.rejected", |e| {
            e["set"] == "observe" && e["why"].as_str().is_some_and(|why| why.contains("built-in set"))
        });
    } else {
        assert_eq!(status, 422, "{body}");
        assert!(body["message"].as_str().unwrap_or_default().contains("built-in set"), "{body}");
    }
    let place = world.plan("built-in").with("commands", json!({"sets": ["observe"]})).make(world);
    place.grant("1h");
    place.exec("whoami").exits(0);
    place.exec("chmod 777 /tmp").exits(77);
    world.api.delete(&format!("{SETS}/observe"));
}
