//! Deciding in a real browser: a headless Chromium signs in at the provider, with its own pages, and presses what a
//! person presses. What is seen there must be true over SSH, and the other way round.

use sallyport_tests::chromium::Chromium;
use sallyport_tests::{World, seconds, until};
use serde_json::json;

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        browser_an_approver_signs_in_approves_and_ends_it,
        browser_a_denial_carries_its_reason_and_markup_does_nothing,
        browser_a_request_of_ones_own_has_no_button_and_break_glass_is_reviewed,
    ]
}

/// Signs in as somebody, wherever the provider's pages lead, until the console shows who it is.
#[track_caller]
fn sign_in(world: &World, person: &str, path: &str) -> Chromium {
    let mut browser = Chromium::start();
    let console = world.console();
    browser.open(&format!("{console}{path}"));
    browser.shows("body");
    if browser.has("#login") {
        browser.leaves("#login");
    }
    for _ in 0..8 {
        if browser.has("#whoami") {
            assert_eq!(browser.shows("#whoami"), person);
            return browser;
        }
        let radio = format!("input[type=radio][value={person}]");
        if browser.has(&radio) {
            browser.press(&radio);
            browser.leaves("button[value=allow]");
        } else if browser.has("input[name=login]") {
            browser.types("input[name=login]", person);
            if browser.has("input[name=password]") {
                browser.types("input[name=password]", "any");
            }
            browser.leaves("form button[type=submit], form input[type=submit], form button");
        } else {
            browser.leaves("form button[type=submit], form button");
        }
    }
    panic!("signing in as {person} does not end; at {}:\n{}", browser.address(), browser.text());
}

fn browser_an_approver_signs_in_approves_and_ends_it(world: &World) {
    let place = world.plan("b-approve").approvals(1).make(world);
    let grant = place.grant("30m");
    place.exec("true").exits(77);

    let mut bob = sign_in(world, "bob", "/");
    let link = format!("a[href='/requests/{grant}']");
    assert!(bob.shows("#waiting").contains("INC-1 a test"), "{}", bob.text());
    bob.leaves(&link);
    assert!(bob.shows("#facts").contains("INC-1 a test"), "{}", bob.text());
    bob.leaves("#approve");
    assert!(!bob.has("#approve") && !bob.has("#error"), "{}", bob.text());
    until("the requester works", seconds(60), || (place.exec("true").code == 0).then_some(()));

    bob.types("#reason", "enough of that");
    bob.leaves("#revoke");
    assert!(bob.shows("#state").contains("enough of that"), "{}", bob.text());
    place.exec("true").exits(77);
    place.unbound(&grant);
    // Signed out is signed out: the page is not there any more, and going back shows nothing of it.
    bob.leaves("#logout");
    assert!(bob.has("#login") && !bob.has("#whoami"), "{}", bob.text());
    let signed_in = world.event("signin.succeeded", |e| e["action"] == "console");
    assert!(signed_in["person"]["username"].is_string(), "{signed_in}");
}

fn browser_a_denial_carries_its_reason_and_markup_does_nothing(world: &World) {
    let place = world.plan("b-deny").approvals(1).make(world);
    let hostile = "<img/src=x/onerror=window.pwned=1><script>window.pwned=1</script>&lt;b&gt;";
    let line = format!("request {0} -n {0} --for 5m --reason '{hostile}'", place.name);
    let asked = world.alice().words([line.as_str()]).run().exits(0);
    let name = sallyport_tests::world::first_word(&asked.out);

    let mut bob = sign_in(world, "bob", &format!("/requests/{name}"));
    assert!(bob.address().ends_with(&format!("/requests/{name}")), "{}", bob.address());
    assert!(bob.shows("#facts").contains(hostile), "{}", bob.text());
    assert_eq!(bob.script("window.pwned === undefined && document.querySelector('main img') === null"), true);
    bob.types("#reason", "not <b>today</b>");
    bob.leaves("#deny");
    assert!(bob.shows("#state").contains("not <b>today</b>"), "{}", bob.text());
    let told = world.alice().line("requests").run().exits(0);
    assert!(told.out.contains(&name), "{}", told.show());
    let denied = place.request(&name).expect("the request");
    assert_eq!(
        (&denied["status"]["phase"], &denied["status"]["denial"]["reason"]),
        (&json!("Denied"), &json!("not <b>today</b>")),
        "{denied}"
    );
}

fn browser_a_request_of_ones_own_has_no_button_and_break_glass_is_reviewed(world: &World) {
    let place = world
        .plan("b-glass")
        .with("approval", json!({"required": 0, "groups": []}))
        .with("breakGlass", json!({"reviewers": ["security", "oncall"]}))
        .make(world);
    let grant = place.grant("30m");
    place.exec("true").exits(0);
    let mut alice = sign_in(world, "alice", &format!("/requests/{grant}"));
    alice.leaves("#revoke");
    // Her group reviews, and she does not.
    assert!(!alice.has("#review") && !alice.has("#approve"), "{}", alice.text());
    drop(alice);

    let mut sam = sign_in(world, "sam", "/");
    assert!(sam.shows("#reviews").contains(&place.name), "{}", sam.text());
    sam.open(&format!("{}/requests/{grant}", world.console()));
    sam.chooses("#verdict", "justified");
    sam.types("#comment", "the house burnt");
    sam.leaves("#review");
    assert!(!sam.has("#error"), "{}", sam.text());
    let review = place.request(&grant).expect("it")["status"]["review"].clone();
    assert_eq!(review["verdict"], "Justified", "{review}");
    assert_eq!(review["closed"]["reason"], "the house burnt", "{review}");
}
