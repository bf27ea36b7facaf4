//! A gateway killed at each single write of a grant's life, and an API server that conflicts, throttles, fails or
//! hangs up in the middle of it: no access is left behind and no grant is forgotten.

use sallyport_tests::gate::{Blow, Call};
use sallyport_tests::server::{Answer, Server};
use sallyport_tests::world::{Mortal, first_word};
use sallyport_tests::{World, seconds, until};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        a_gateway_killed_at_any_step_of_opening_a_grant_is_followed_by_the_next,
        a_gateway_killed_at_any_step_of_ending_a_grant_leaves_no_access,
        an_api_server_that_fails_in_the_middle_of_any_step_loses_nothing,
        a_gateway_killed_while_a_grant_is_made_longer_leaves_one_end_that_holds,
        a_gateway_killed_when_a_check_has_answered_lets_it_go_on,
    ];
    cases.iter_mut().for_each(|case| case.alone = true);
    cases
}

const fn status(body: &'static str) -> Call {
    Call { method: "PUT", path: "/status", body }
}

const CREATE: Call =
    Call { method: "POST", path: "/apis/sallyport.dev/v1alpha1/accessrequests", body: "\"policy\"" };
const PENDING: Call = status("\"phase\":\"Pending\"");
const APPROVED: Call = status("\"phase\":\"Approved\"");
const BIND: Call = Call { method: "POST", path: "/rolebindings", body: "" };
const ACTIVE: Call = status("\"phase\":\"Active\"");
const EXPIRED: Call = status("\"phase\":\"Expired\"");
const REVOKED: Call = status("\"phase\":\"Revoked\"");
const UNBIND: Call = Call { method: "DELETE", path: "/rolebindings", body: "" };

/// The steps from asking to being open.
const OPENING: [(&str, Call); 5] =
    [("create", CREATE), ("pending", PENDING), ("approved", APPROVED), ("binding", BIND), ("active", ACTIVE)];

/// The steps of an end by time.
const EXPIRY: [(&str, Call); 2] = [("expired", EXPIRED), ("unbinding", UNBIND)];

/// The steps of an end by a person.
const REVOCATION: [(&str, Call); 2] = [("revoked", REVOKED), ("unbinding", UNBIND)];

/// How a life ends, after a second of being open.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Time,
    Revoked,
}

fn requests(mortal: &Mortal<'_>) -> Vec<Value> {
    let all = mortal.api.list("/apis/sallyport.dev/v1alpha1/accessrequests");
    all.into_iter()
        .filter(|one| one["spec"]["policy"].as_str().is_some_and(|policy| policy.starts_with(&mortal.name)))
        .collect()
}

fn phase(request: &Value) -> &str {
    request["status"]["phase"].as_str().unwrap_or("Pending")
}

fn is_over(request: &Value) -> bool {
    ["Denied", "Expired", "Revoked", "Failed"].contains(&phase(request))
}

/// The request that is not over; the cases make one after the other.
fn live(mortal: &Mortal<'_>) -> Option<Value> {
    let mut live = requests(mortal).into_iter().filter(|one| !is_over(one));
    let one = live.next();
    assert!(live.next().is_none(), "a step that failed made a second request");
    one
}

fn bindings(mortal: &Mortal<'_>) -> Vec<String> {
    let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", mortal.name);
    let all = mortal.api.list(&path);
    all.iter().map(|one| one["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A request's whole life, as people live it; it may break off at any step. Every command has an end.
fn lives(mortal: &Mortal<'_>, policy: &str, ending: Ending, broken: &dyn Fn() -> bool) {
    let length = if ending == Ending::Time { "10s" } else { "5m" };
    let words = ["request", policy, "-n", &mortal.name, "--for", length, "--reason", "a", "test"];
    let asked = mortal.ssh("prod-gw").words(words).limit(seconds(120)).run();
    if broken() {
        return;
    }
    let name = first_word(&asked.exits(0).out);
    if policy == mortal.name {
        let _ = mortal.ssh("prod-gw-bob").words(["approve", &name]).limit(seconds(120)).run();
    }
    if broken() {
        return;
    }
    let open = || live(mortal).is_none_or(|one| phase(&one) == "Active");
    until("it is open, or the blow has come", seconds(120), || (open() || broken()).then_some(()));
    if broken() {
        return;
    }
    if ending == Ending::Revoked {
        let _ = mortal.ssh("prod-gw").words(["revoke", &name]).limit(seconds(120)).run();
    }
    let quiet = || live(mortal).is_none() && bindings(mortal).is_empty();
    until("it is over, or the blow has come", seconds(120), || (quiet() || broken()).then_some(()));
}

/// Whatever was the last step, it goes on from there: what is alive can be had, and when it is over nothing is left.
fn goes_on(mortal: &Mortal<'_>, at: &str) {
    if let Some(one) = live(mortal) {
        let name = one["metadata"]["name"].as_str().expect("a name").to_owned();
        if phase(&one) == "Pending" && one["spec"]["policy"] == *mortal.name {
            mortal.ssh("prod-gw-bob").words(["approve", &name]).run().exits(0);
        }
        let short = one["spec"]["duration"] == "10s";
        until(&format!("{at}: `{name}` is open with its binding, or over"), seconds(120), || {
            match live(mortal) {
                // Only time may have ended it, or that its gateway died before the very first status and nobody
                // can approve it: another one that is gone was forgotten.
                None => (short || is_said_to_be_lost(mortal, &name)).then_some(()),
                Some(one) => (phase(&one) == "Active" && !bindings(mortal).is_empty()).then_some(()),
            }
        });
        if !short && live(mortal).is_some() {
            mortal.ssh("prod-gw").words(["revoke", &name]).run().exits(0);
        }
    }
    let unlisted = |one: &Value| one["status"]["opened"].as_array().is_none_or(Vec::is_empty);
    until(&format!("{at}: nothing is left, and the register says so"), seconds(120), || {
        let over = requests(mortal).iter().all(|one| is_over(one) && unlisted(one));
        (over && bindings(mortal).is_empty()).then_some(())
    });
}

/// Whether this request failed, and says that its gateway stopped.
fn is_said_to_be_lost(mortal: &Mortal<'_>, name: &str) -> bool {
    requests(mortal).iter().any(|one| {
        let message = one["status"]["message"].as_str().unwrap_or_default();
        one["metadata"]["name"] == *name
            && phase(one) == "Failed"
            && message.contains("stopped before it was opened")
    })
}

/// Kills at this step and lets the next gateway go on.
fn killed(mortal: &mut Mortal<'_>, policy: &str, step: (&str, Call), blow: Blow, ending: Ending) {
    let (word, call) = step;
    let at = format!("{policy}: {word}, {blow:?}, {ending:?}");
    mortal.gate.arm(call, blow, 1);
    lives(mortal, policy, ending, &|| mortal.gate.struck() > 0);
    assert_eq!(mortal.gate.struck(), 1, "{at}: the step was never made\n{}", mortal.log());
    mortal.gate.disarm();
    mortal.kill();
    if ending == Ending::Time {
        // Nobody is there when time is up.
        std::thread::sleep(seconds(11));
    }
    mortal.rise();
    goes_on(mortal, &at);
    eprintln!("survived: {at}");
}

fn a_gateway_killed_at_any_step_of_opening_a_grant_is_followed_by_the_next(world: &World) {
    let mut mortal = world.mortal("kill-open");
    let (with, without) = (mortal.name.clone(), format!("{}-free", mortal.name));
    for step in OPENING {
        for blow in [Blow::KillBefore, Blow::KillAfter] {
            killed(&mut mortal, &with, step, blow, Ending::Revoked);
            // What needs no approval is never written down as waiting for one.
            if step.0 != "pending" {
                killed(&mut mortal, &without, step, blow, Ending::Revoked);
            }
        }
    }
}

fn a_gateway_killed_at_any_step_of_ending_a_grant_leaves_no_access(world: &World) {
    let mut mortal = world.mortal("kill-end");
    let policy = mortal.name.clone();
    for (steps, ending) in [(EXPIRY, Ending::Time), (REVOCATION, Ending::Revoked)] {
        for step in steps {
            for blow in [Blow::KillBefore, Blow::KillAfter] {
                killed(&mut mortal, &policy, step, blow, ending);
            }
        }
    }
    // Killed while it is open, at no step at all, and while it is approved and nobody opens it in time.
    for step in [("at rest, open", ACTIVE), ("approved", APPROVED)] {
        killed(&mut mortal, &policy, step, Blow::KillAfter, Ending::Time);
    }
}

fn an_api_server_that_fails_in_the_middle_of_any_step_loses_nothing(world: &World) {
    let mortal = world.mortal("fails");
    let steps = OPENING.into_iter().chain(REVOCATION);
    for (word, call) in steps {
        for blow in
            [Blow::Answer(409), Blow::Answer(429), Blow::Answer(500), Blow::HangUpBefore, Blow::HangUpAfter]
        {
            let at = format!("{word}, {blow:?}");
            mortal.gate.arm(call, blow, 1);
            lives(&mortal, &mortal.name, Ending::Revoked, &|| mortal.gate.struck() > 0);
            assert_eq!(mortal.gate.struck(), 1, "{at}: the step was never made\n{}", mortal.log());
            mortal.gate.disarm();
            goes_on(&mortal, &at);
            eprintln!("survived: {at}");
        }
    }
}

const EXTENDED: Call = status("\"extensions\":[{");
/// Not `hooks`: the copy of the policy says that too.
const ANSWERED: Call = status("\"allow\":true");

fn a_gateway_killed_while_a_grant_is_made_longer_leaves_one_end_that_holds(world: &World) {
    let mut mortal = world.mortal("kill-longer");
    for blow in [Blow::KillBefore, Blow::KillAfter] {
        let name = mortal.asks(&format!("{}-free", mortal.name), "--for 2m");
        let first = mortal.reaches(&name, "Active")["status"]["window"]["end"].clone();
        mortal.gate.arm(EXTENDED, blow, 1);
        let line = format!("extend {name} --for 5m");
        let _ = mortal.ssh("prod-gw").line(&line).limit(seconds(120)).run();
        assert_eq!(mortal.gate.struck(), 1, "{blow:?}: the step was never made\n{}", mortal.log());
        mortal.gate.disarm();
        mortal.kill();
        mortal.rise();
        let request = mortal.reaches(&name, "Active");
        let longer = request["status"]["window"]["end"] != first;
        assert_eq!(longer, blow == Blow::KillAfter, "{blow:?}: {request}");
        assert_eq!(longer, request["status"]["extensions"].is_array(), "{blow:?}: {request}");
        if !longer {
            mortal.ssh("prod-gw").line(&line).run().exits(0);
        }
        // The binding says the same end as the request, once the new gateway has looked.
        let end = mortal.request(&name).expect("it")["status"]["window"]["end"].clone();
        let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", mortal.name);
        until(&format!("{blow:?}: the binding ends with it"), seconds(120), || {
            let all = mortal.api.list(&path);
            all.iter().any(|one| one["metadata"]["annotations"]["sallyport.dev/ends"] == end).then_some(())
        });
        goes_on(&mortal, &format!("longer, {blow:?}"));
    }
}

fn a_gateway_killed_when_a_check_has_answered_lets_it_go_on(world: &World) {
    let tickets = Server::start(Answer::With(200, json!({"result": {"allow": true}})));
    let hook = format!("hooks:\n  - name: tickets\n    url: {}\n    timeout: 5s\n", tickets.url("/"));
    let mut mortal = world.mortal_with("kill-check", |_, config| config + &hook);
    let policy = mortal.policy("checked", |spec| {
        spec["approval"] = json!({"required": 0, "hooks": [{"name": "tickets", "unreachable": "Wait"}]});
    });
    for blow in [Blow::KillBefore, Blow::KillAfter] {
        mortal.gate.arm(ANSWERED, blow, 1);
        let line = format!("request {policy} -n {} --for 5m --reason a test", mortal.name);
        let _ = mortal.ssh("prod-gw").line(line).limit(seconds(120)).run();
        until(&format!("{blow:?}: the answer is written down"), seconds(120), || {
            (mortal.gate.struck() == 1).then_some(())
        });
        mortal.gate.disarm();
        mortal.kill();
        mortal.rise();
        let name = live(&mortal).expect("it is not forgotten")["metadata"]["name"].clone();
        let open = mortal.reaches(name.as_str().expect("a name"), "Active");
        assert_eq!(open["status"]["hooks"][0]["allow"], true, "{blow:?}: {open}");
        goes_on(&mortal, &format!("checked, {blow:?}"));
    }
}
