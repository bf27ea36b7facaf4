//! People who leave the groups that they got something by.

use super::*;

const NOBODY: [String; 0] = [];

/// Alice after the provider has said something else about her.
fn now_in(groups: &[&str]) -> Identity {
    Identity::for_tests("alice", groups)
}

#[tokio::test]
async fn groups_that_still_fit_end_nothing_and_others_people_lose_nothing() {
    let house = House::open().await;
    house.grant().await;
    assert_eq!(house.access.renewed(&now_in(&["oncall"])).await, NOBODY);
    assert_eq!(house.access.renewed(&now_in(&["choir", "oncall"])).await, NOBODY);
    // Bob has asked for nothing, and what alice has is not his to lose.
    assert_eq!(house.access.renewed(&Identity::for_tests("bob", &[])).await, NOBODY);
    assert_eq!(house.access.disowned(&bob(), "gone").await, NOBODY);
    house.permit(&alice()).await.unwrap();
}

#[tokio::test]
async fn leaving_the_group_ends_the_grant_and_what_still_waits() {
    let house = House::open().await;
    let open = house.grant().await.to_string();
    let waits = house.ask(&alice()).await.unwrap().name;
    let who = house.access.people_with_grants();
    assert!(who.len() == 1 && who.iter().all(|who| who.username == "alice"), "{who:?}");

    let mut ended = house.access.renewed(&now_in(&["leads", "choir"])).await;
    ended.sort();
    let mut both = [open.clone(), waits];
    both.sort();
    assert_eq!(ended, both);
    house.permit(&alice()).await.unwrap_err();
    assert!(house.access.people_with_grants().is_empty());
    let kept = house.audit.kept();
    let event = kept.iter().find(|event| event.event == Kind::GrantEnded).unwrap();
    assert_eq!(event.request.as_deref(), Some(open.as_str()));
    assert!(event.why.as_deref().unwrap().contains("none of the policy's groups"), "{event:?}");
    // Said once.
    assert_eq!(house.access.renewed(&now_in(&[])).await, NOBODY);
}

#[tokio::test]
async fn an_account_that_is_over_loses_everything_whatever_its_groups() {
    let house = House::open().await;
    let open = house.grant().await.to_string();
    assert_eq!(house.access.disowned(&alice(), "the account is closed").await, [open]);
    house.permit(&alice()).await.unwrap_err();
    let kept = house.audit.kept();
    let event = kept.iter().find(|event| event.event == Kind::GrantEnded).unwrap();
    assert_eq!(event.why.as_deref(), Some("the account is closed"));
}

#[tokio::test]
async fn a_write_that_fails_ends_nothing_yet_and_the_next_answer_tries_again() {
    let house = House::open().await;
    let open = house.grant().await.to_string();
    house.fake.faults(|method, path| {
        (*method == Method::PUT && path.ends_with("/status")).then_some(Fault::Status(500))
    });
    assert_eq!(house.access.renewed(&now_in(&[])).await, NOBODY);
    house.permit(&alice()).await.unwrap();
    house.fake.faults(|_, _| None);
    assert_eq!(house.access.renewed(&now_in(&[])).await, [open]);
    house.permit(&alice()).await.unwrap_err();
}
