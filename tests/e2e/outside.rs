//! What reaches beyond the gateway and its cluster: webhooks that are told, checks that are asked, policies from a
//! directory, requests made by kubectl, and history that is taken away. Each on a gateway that is alone with its cluster.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sallyport_tests::apiserver::RUNTIME;
use sallyport_tests::server::{Answer, Call, Server};
use sallyport_tests::world::Mortal;
use sallyport_tests::{World, events, seconds, until};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        webhooks_are_told_once_signed_and_also_after_a_kill,
        a_webhook_that_hangs_holds_up_nobody,
        a_check_says_no_with_its_reasons_and_nobody_can_approve,
        a_check_that_is_out_of_reach_denies_or_waits_as_the_policy_says,
        a_check_that_says_no_later_ends_the_grant_and_cuts_its_session,
        policies_come_from_a_directory_and_a_broken_one_leaves_the_last_good_one,
        a_request_made_by_kubectl_counts_only_where_the_configuration_says_so,
        old_requests_go_and_those_with_an_open_review_stay,
    ];
    cases.iter_mut().for_each(|case| case.alone = true);
    cases
}

const SECRET: &str = "c2FsbHlwb3J0IHRlc3RzIHNpZ24gdGhpcyB3aXRoIGl0";

fn yes() -> Answer {
    Answer::With(200, json!({"result": {"allow": true}}))
}

fn no(reason: &str) -> Answer {
    Answer::With(200, json!({"result": {"allow": false, "reasons": [reason]}}))
}

/// A gateway that has pages and tells `siem` of requests under its own policies: a cluster that others used has a day of
/// history, all of which would be due. What `more` adds to the webhook comes last, or names the next one.
pub(crate) fn telling<'w>(world: &'w World, name: &str, siem: &Server, more: &str) -> Mortal<'w> {
    let policy = format!("{name}-{}", world.tag());
    world.mortal_with(name, |dir, config| {
        let listen = config.split_once("console:\n  listen: ").expect("a console").1;
        let at = listen.lines().next().expect("an address").to_owned();
        let config =
            config.replace(&format!("listen: {at}"), &format!("listen: {at}\n  publicUrl: http://{at}"));
        std::fs::write(dir.join("secret"), SECRET).expect("write");
        let (url, secret) = (siem.url("/hooks"), dir.join("secret"));
        config
            + &format!(
                "notifications:\n  - name: siem\n    url: {url}\n    secretFile: {}\n    timeout: 10s\n    \
                 policies: [{policy}, {policy}-guarded, {policy}-open]\n{more}",
                secret.display()
            )
    })
}

/// A gateway whose policies may name the check `tickets`.
fn checking<'w>(world: &'w World, name: &str, tickets: &Server) -> Mortal<'w> {
    let hook = format!(
        "hooks:\n  - name: tickets\n    url: {}\n    timeout: 5s\n",
        tickets.url("/v1/data/sallyport")
    );
    world.mortal_with(name, |_, config| config + &hook)
}

/// Where a link leads somebody who is not signed in.
fn follow(link: &str) -> (u16, String) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    RUNTIME.block_on(async {
        let answer = client.expect("a client").get(link).send().await.expect("an answer");
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap_or_default().to_owned());
        (answer.status().as_u16(), to.unwrap_or_default())
    })
}

/// What was told of a request, in order, each with its id.
fn told(server: &Server, request: &str) -> Vec<(String, String)> {
    let about = |call: &Call| call.json()["data"]["request"] == *request;
    let word = |call: &Call| {
        let kind = call.json()["type"].as_str().unwrap_or_default().to_owned();
        (kind, call.header("webhook-id").to_owned())
    };
    server.calls().iter().filter(|call| about(call)).map(word).collect()
}

fn kinds(server: &Server, request: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut kinds = Vec::new();
    for (kind, id) in told(server, request) {
        if !ids.contains(&id) {
            ids.push(id);
            kinds.push(kind);
        }
    }
    kinds
}

fn approve(mortal: &Mortal<'_>, name: &str) {
    mortal.ssh("prod-gw-bob").words(["approve", name]).run().exits(0);
}

/// Panics unless the call bears the gateway's signature.
#[track_caller]
pub(crate) fn signed_by_us(call: &Call) {
    let key = aws_lc_rs::hmac::Key::new(
        aws_lc_rs::hmac::HMAC_SHA256,
        &STANDARD.decode(SECRET).expect("a secret in base64"),
    );
    let mut text =
        format!("{}.{}.", call.header("webhook-id"), call.header("webhook-timestamp")).into_bytes();
    text.extend_from_slice(&call.body);
    let signed = call.header("webhook-signature").strip_prefix("v1,").expect("a signature");
    aws_lc_rs::hmac::verify(&key, &text, &STANDARD.decode(signed).expect("base64")).expect("ours");
}

fn webhooks_are_told_once_signed_and_also_after_a_kill(world: &World) {
    let siem = Server::start(Answer::With(200, json!({})));
    let mut mortal = telling(world, "told", &siem, "");
    let name = mortal.asks(&mortal.name, "--for 5m");
    until("it is told that somebody asks", seconds(120), || {
        (kinds(&siem, &name) == ["requested"]).then_some(())
    });
    let call = siem.calls().into_iter().find(|call| call.json()["data"]["request"] == *name).expect("a call");
    signed_by_us(&call);
    assert_eq!(call.json()["data"]["reason"], "INC-1 a test");
    let link = call.json()["data"]["link"].as_str().expect("a link to the page").to_owned();
    let (status, to) = follow(&link);
    assert_eq!((status, to.as_str()), (303, format!("/login?to=/requests/{name}").as_str()), "{link}");
    let altered = link.replace("sig=", "sig=A");
    assert_eq!(follow(&altered).0, 403, "{altered}");

    // The receiver is down, and then the gateway: what was due is told when both are back.
    siem.answers(Answer::With(503, json!({})));
    approve(&mortal, &name);
    mortal.reaches(&name, "Active");
    until("it was tried", seconds(120), || {
        told(&siem, &name).iter().any(|(kind, _)| kind == "approved").then_some(())
    });
    mortal.kill();
    siem.answers(Answer::With(200, json!({})));
    mortal.rise();
    until("it is told after the restart", seconds(120), || {
        let request = mortal.request(&name)?;
        let notified = request["status"]["notified"].as_array()?.clone();
        notified.iter().any(|note| note.to_string().contains("approved@siem")).then_some(())
    });
    mortal.ssh("prod-gw").words(["revoke", &name]).run().exits(0);
    until("the end is told", seconds(120), || {
        (kinds(&siem, &name) == ["requested", "approved", "ended"]).then_some(())
    });
    // An attempt that was answered with 503 was repeated under the same id; nothing else came twice.
    let all = told(&siem, &name);
    for kind in ["requested", "ended"] {
        assert_eq!(all.iter().filter(|(own, _)| own == kind).count(), 1, "{all:?}");
    }
}

fn a_webhook_that_hangs_holds_up_nobody(world: &World) {
    let (siem, slow) = (Server::start(Answer::With(200, json!({}))), Server::start(Answer::Silence));
    let more = format!("  - name: slow\n    url: {}\n    timeout: 1s\n", slow.url("/"));
    let mortal = telling(world, "hangs", &siem, &more);
    let name = mortal.asks(&mortal.name, "--for 5m");
    approve(&mortal, &name);
    mortal.reaches(&name, "Active");
    mortal.ssh("prod-gw").words(["revoke", &name]).run().exits(0);
    until("the other one is told everything that still matters", seconds(120), || {
        kinds(&siem, &name).last().is_some_and(|kind| kind == "ended").then_some(())
    });
    until("the slow one was tried", seconds(120), || (!slow.calls().is_empty()).then_some(()));
    let failed = || {
        let all = events::lines(&mortal.dir.join("events.jsonl"));
        all.into_iter().find(|event| event["event"] == "notification.failed")
    };
    let event = until("that it fails is an event", seconds(120), failed);
    assert_eq!(event["action"], "slow", "{event}");
}

fn a_check_says_no_with_its_reasons_and_nobody_can_approve(world: &World) {
    let tickets = Server::start(Answer::With(503, json!({})));
    let mortal = checking(world, "checked", &tickets);
    let policy = mortal.policy("wait", |spec| {
        spec["approval"]["hooks"] = json!([{"name": "tickets", "unreachable": "Wait"}]);
    });
    let name = mortal.asks(&policy, "--for 5m");
    until("it was asked", seconds(120), || (!tickets.calls().is_empty()).then_some(()));
    let early = mortal.ssh("prod-gw-bob").words(["approve", &name]).run().exits(77);
    assert!(early.err.contains("tickets"), "{}", early.show());
    tickets.answers(no("OPS-42 is \u{1b}[2Jclosed"));
    let denied = mortal.reaches(&name, "Denied");
    assert_eq!(denied["status"]["cause"], "Hook", "{denied}");
    let shown = mortal.ssh("prod-gw").words(["requests"]).run().exits(0);
    assert!(!shown.out.contains('\u{1b}') && !shown.err.contains('\u{1b}'), "{}", shown.show());
    let message = denied["status"]["message"].to_string();
    assert!(message.contains("OPS-42 is") && message.contains("closed"), "{denied}");
    mortal.ssh("prod-gw-bob").words(["approve", &name]).run().exits(77);

    let input = tickets.calls().first().expect("a call").json()["input"].clone();
    assert_eq!(
        (&input["phase"], &input["request"], &input["policy"], &input["reason"]),
        (&json!("asking"), &json!(name), &json!(policy), &json!("INC-1 a test")),
        "{input}"
    );
}

fn a_check_that_is_out_of_reach_denies_or_waits_as_the_policy_says(world: &World) {
    let tickets = Server::start(Answer::Silence);
    let mortal = checking(world, "unreach", &tickets);
    let hooks = |unreachable: &str| json!([{"name": "tickets", "unreachable": unreachable}]);
    let (deny, wait) = (hooks("Deny"), hooks("Wait"));
    let strict = mortal.policy("deny", |spec| spec["approval"]["hooks"] = deny);
    let patient = mortal.policy("wait", |spec| spec["approval"] = json!({"required": 0, "hooks": wait}));
    let (refused, waits) = (mortal.asks(&strict, "--for 5m"), mortal.asks(&patient, "--for 5m"));
    // A check that hangs costs those who have none nothing.
    let free = mortal.asks(&format!("{}-free", mortal.name), "--for 5m");
    mortal.reaches(&free, "Active");
    mortal.reaches(&refused, "Denied");
    let pending = mortal.request(&waits).expect("the request");
    assert_eq!(pending["status"]["phase"], "Pending", "{pending}");
    tickets.answers(yes());
    let open = mortal.reaches(&waits, "Active");
    assert_eq!(open["status"]["hooks"][0]["allow"], true, "{open}");
}

fn a_check_that_says_no_later_ends_the_grant_and_cuts_its_session(world: &World) {
    let tickets = Server::start(yes());
    let mortal = checking(world, "recheck", &tickets);
    let policy = mortal.policy("ticket", |spec| {
        spec["approval"] = json!({"required": 0, "hooks": [{"name": "tickets", "recheck": "10s"}]});
    });
    let name = mortal.asks(&policy, "--for 30m");
    mortal.reaches(&name, "Active");
    let phases = || -> Vec<String> {
        let all = tickets.calls();
        all.iter().map(|call| call.json()["input"]["phase"].as_str().unwrap_or_default().to_owned()).collect()
    };
    until("it is asked again", seconds(120), || phases().contains(&"recheck".to_owned()).then_some(()));
    assert_eq!(mortal.request(&name).expect("the request")["status"]["phase"], "Active");
    tickets.answers(no("the ticket was closed"));
    let ended = mortal.reaches(&name, "Revoked");
    assert_eq!(ended["status"]["cause"], "Hook", "{ended}");
    assert!(ended["status"]["message"].to_string().contains("the ticket was closed"), "{ended}");
    let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", mortal.name);
    until("nothing is left", seconds(120), || mortal.api.list(&path).is_empty().then_some(()));
}

fn policy_file(mortal_name: &str, policy: &str, longest: &str) -> String {
    json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy", "metadata": {"name": policy},
        "spec": {
            "subjects": {"groups": ["oncall"]}, "namespaces": [mortal_name], "allow": {"exec": true},
            "clusterRole": "sallyport-debug", "maxDuration": longest, "reasonRequired": false,
            "approval": {"required": 0},
        },
    })
    .to_string()
}

fn policies_come_from_a_directory_and_a_broken_one_leaves_the_last_good_one(world: &World) {
    let mortal = world.mortal_with("files", |dir, config| {
        std::fs::create_dir(dir.join("policies")).expect("a directory");
        config + &format!("policies:\n  directory: {}/policies\n", dir.display())
    });
    let (file, policy) = (mortal.dir.join("policies/one.json"), format!("{}-file", mortal.name));
    // As an editor or a mounted ConfigMap does it: the whole file at once.
    let write = |text: &str| {
        let beside = mortal.dir.join("beside");
        std::fs::write(&beside, text).expect("write");
        std::fs::rename(&beside, &file).expect("move");
    };
    let longest = || {
        let shown = mortal.ssh("prod-gw").words(["policies", "-o", "json"]).run().exits(0);
        let all: Value = serde_json::from_str(&shown.out).expect("JSON");
        let one = all.as_array()?.iter().find(|one| one["name"] == *policy)?.clone();
        one["maxDuration"].as_str().map(str::to_owned)
    };
    let becomes = |expected: Option<&str>| {
        until(&format!("its longest time is {expected:?}"), seconds(120), || {
            (longest().as_deref() == expected).then_some(())
        });
    };
    write(&policy_file(&mortal.name, &policy, "1h"));
    becomes(Some("1h"));
    let name = mortal.asks(&policy, "--for 5m");
    mortal.reaches(&name, "Active");

    write(&policy_file(&mortal.name, &policy, "1h").replace("\"maxDuration\"", "\"maxDurations\""));
    let broken = until("that it is broken is an event", seconds(120), || {
        let all = events::lines(&mortal.dir.join("events.jsonl"));
        all.into_iter().find(|event| event.to_string().contains("maxDurations"))
    });
    assert!(broken.to_string().contains("one.json"), "{broken}");
    assert!(mortal.log().contains("one.json"), "{}", mortal.log());
    assert_eq!(longest().as_deref(), Some("1h"), "the last good one is no longer in force");
    assert_eq!(mortal.request(&name).expect("the request")["status"]["phase"], "Active");

    write(&policy_file(&mortal.name, &policy, "30m"));
    becomes(Some("30m"));
    std::fs::remove_file(&file).expect("remove");
    becomes(None);
    let ended = mortal.reaches(&name, "Revoked");
    assert_eq!(ended["status"]["cause"], "Policy", "{ended}");
}

/// A request as `kubectl create` brings it, without a gateway.
fn by_hand(mortal: &Mortal<'_>, suffix: &str) -> String {
    let name = format!("{}-{suffix}", mortal.name);
    let requester = json!({"username": "alice@example.com", "groups": ["oncall"], "issuer": "kubernetes", "subject": "alice@example.com"});
    mortal.api.apply(&json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": name},
        "spec": {
            "requester": requester, "policy": format!("{}-free", mortal.name), "namespaces": [mortal.name],
            "duration": "5m", "reason": "by hand",
        },
    }));
    name
}

fn a_request_made_by_kubectl_counts_only_where_the_configuration_says_so(world: &World) {
    {
        let mortal = world.mortal("unsealed");
        let name = by_hand(&mortal, "bcdfgh");
        let failed = mortal.reaches(&name, "Failed");
        assert!(failed["status"]["window"].is_null(), "{failed}");
    }
    let mortal = world.mortal_with("bykubectl", |_, config| config + "requests:\n  byKubectl: true\n");
    let name = by_hand(&mortal, "bcdfgh");
    let open = mortal.reaches(&name, "Active");
    assert!(open["status"]["approvedByRule"].is_string(), "{open}");
}

fn old_requests_go_and_those_with_an_open_review_stay(world: &World) {
    let mut mortal = world.mortal_with("pruned", |_, config| config + "requests:\n  keep: 1h\n");
    let glass = mortal.policy("glass", |spec| {
        spec["breakGlass"] = json!({"reviewers": ["leads"]});
        spec["approval"] = json!({"required": 0});
    });
    let free = format!("{}-free", mortal.name);
    let (old, young, loud) =
        (mortal.asks(&free, "--for 5m"), mortal.asks(&free, "--for 6m"), mortal.asks(&glass, "--for 5m"));
    for name in [&old, &young, &loud] {
        mortal.reaches(name, "Active");
        mortal.ssh("prod-gw").words(["revoke", name]).run().exits(0);
    }
    let unbound = || {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", mortal.name);
        mortal.api.list(&path).is_empty().then_some(())
    };
    until("nothing is open", seconds(120), unbound);
    // As if two of them had ended two hours ago, and the gateway looks again, as it does each minute.
    let age = |mortal: &Mortal<'_>, name: &str| {
        let ended = mortal.request(name).expect("the request")["status"]["endedAt"].clone();
        let moment: jiff::Timestamp = ended.as_str().expect("a moment").parse().expect("one");
        let earlier = json!((moment - std::time::Duration::from_secs(2 * 3600)).to_string());
        let path = format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}/status");
        let (code, answer) = mortal.api.patch(&path, &json!({"status": {"endedAt": earlier}}));
        assert_eq!(code, 200, "{answer}");
    };
    age(&mortal, &old);
    age(&mortal, &loud);
    mortal.kill();
    mortal.rise();
    until("the old one is gone", seconds(180), || mortal.request(&old).is_none().then_some(()));
    assert!(mortal.request(&young).is_some(), "a young one went");
    assert!(mortal.request(&loud).is_some(), "an open review went with its request");
    let verdict = ["review", &loud, "--verdict", "justified", "--reason", "a", "test"];
    mortal.ssh("prod-gw-bob").words(verdict).run().exits(0);
    // The moment of its end is told by its revocation too, and written anew from there.
    age(&mortal, &loud);
    mortal.kill();
    mortal.rise();
    until("the reviewed one is gone", seconds(180), || mortal.request(&loud).is_none().then_some(()));
}
