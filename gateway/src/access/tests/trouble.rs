//! Days on which the API server does not do what it should.

use super::*;
use crate::crd::STALE_AFTER;

#[tokio::test]
async fn a_write_that_somebody_else_overtakes_is_tried_again() {
    let house = House::open().await;
    let asked = house.ask(&alice()).await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    let left = std::sync::atomic::AtomicU32::new(3);
    house.fake.faults(move |method, path| {
        let overtaken = *method == Method::PUT
            && path.ends_with("/status")
            && left
                .fetch_update(
                    std::sync::atomic::Ordering::SeqCst,
                    std::sync::atomic::Ordering::SeqCst,
                    |left| left.checked_sub(1),
                )
                .is_ok();
        overtaken.then_some(Fault::Status(409))
    });
    let view = house.access.approve(&bob(), &name).await.unwrap();
    assert_eq!(view.phase, Phase::Active);
    assert_eq!(view.approvals.len(), 1);
}

#[tokio::test]
async fn endless_conflicts_end_with_nothing_done() {
    let house = House::open().await;
    let asked = house.ask(&alice()).await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    house.fake.faults(|method, path| {
        (*method == Method::PUT && path.ends_with("/status")).then_some(Fault::Status(409))
    });
    let error = house.access.approve(&bob(), &name).await.unwrap_err();
    assert!(matches!(error, AccessError::Busy { .. }), "{error:?}");
}

#[tokio::test]
async fn failures_of_the_api_server_have_their_own_exit_statuses() {
    let house = House::open().await;
    for (fault, exit) in
        [(Fault::Status(403), 70), (Fault::Status(500), 69), (Fault::Status(503), 69), (Fault::Refused, 69)]
    {
        house.fake.faults(move |method, _| (*method == Method::POST).then_some(fault));
        let error = house.ask(&alice()).await.unwrap_err();
        assert_eq!(error.exit_status(), exit, "{fault:?}: {error}");
        assert!(!error.to_string().contains("made to fail"), "{error}");
    }
}

#[tokio::test]
async fn a_silent_api_server_is_not_waited_for_for_ever() {
    let house = House::open().await;
    house.fake.faults(|method, _| (*method == Method::POST).then_some(Fault::Silence));
    let error = house.ask(&alice()).await.unwrap_err();
    assert_eq!(error.exit_status(), 69);
}

#[tokio::test]
async fn a_watch_out_of_reach_for_long_closes_everything() {
    let house = House::open().await;
    house.grant().await;
    let permit = house.permit(&alice()).await.unwrap();
    let ended = tokio::spawn(house.access.ended(&permit));
    house.fake.faults(|_, _| Some(Fault::Refused));
    house.fake.cut_watches();
    tokio::time::sleep(STALE_AFTER / 2).await;
    assert!(house.access.healthy() && !ended.is_finished(), "a short break costs nobody a session");
    tokio::time::sleep(STALE_AFTER).await;
    assert!(!house.access.healthy());
    assert_eq!(ended.await.unwrap(), GrantEnd::OutOfReach);
    let error = house.permit(&alice()).await.unwrap_err();
    assert_eq!(error.exit_status(), 69);
    assert!(error.to_string().contains("the Kubernetes API is out of reach"), "{error}");
    house.fake.faults(|_, _| None);
    house.until("it is back", |house| house.access.healthy()).await;
    assert!(house.permit(&alice()).await.is_ok());
}

#[tokio::test]
async fn a_watch_that_went_silent_counts_as_broken() {
    let house = House::open().await;
    // Watches stay open and say nothing; new ones are not answered.
    house.fake.faults(|_, _| Some(Fault::Silence));
    tokio::time::sleep(STALE_AFTER + Duration::from_secs(1)).await;
    assert!(!house.access.healthy());
}

#[tokio::test]
async fn a_grant_just_approved_is_waited_for() {
    let mut house = House::open().await;
    house.reconciling = None;
    tokio::task::yield_now().await;
    let asked = house.ask(&alice()).await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    let (access, approving) = (house.access.clone(), name.clone());
    let approve = tokio::spawn(async move { access.approve(&bob(), &approving).await });
    house
        .until("it is approved", |house| {
            house.fake.get("accessrequests", name.as_str()).unwrap()["status"]["phase"] == json!("Approved")
        })
        .await;
    let access = house.access.clone();
    let permit = tokio::spawn(async move { access.authorize(&alice(), Action::Shell, &payments()).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    house.reconcile();
    assert!(permit.await.unwrap().is_ok());
    assert_eq!(approve.await.unwrap().unwrap().phase, Phase::Active);
}

#[tokio::test]
async fn one_object_that_cannot_be_read_hides_no_other() {
    let house = House::open().await;
    house.fake.put(
        "accesspolicies",
        &json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy", "metadata": {"name": "broken"},
            "spec": {"subjects": "everybody"},
        }),
    );
    house.until("it is told", |house| house.events().contains(&Kind::PolicyRejected)).await;
    assert_eq!(house.access.policies_for(&alice()).len(), 1);
    house.fake.cut_watches();
    house.grant().await;
}

#[tokio::test]
async fn a_start_without_lists_fails_by_saying_so() {
    let fake = Fake::at(Timestamp::UNIX_EPOCH);
    fake.faults(|_, _| Some(Fault::Status(403)));
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let error =
        Access::start(fake.client(), crate::access::AccessSettings::default(), clock, Audit::in_memory())
            .await
            .unwrap_err();
    assert_eq!(error.exit_status(), 69);
    let told = error.to_string();
    assert!(told.contains("`accesspolicies`") && told.contains("made to fail"), "{told}");
    assert!(told.contains("start it again") && !told.contains("out of reach"), "{told}");
}

#[tokio::test]
async fn a_start_in_a_cluster_without_the_custom_resources_names_them_and_what_to_apply() {
    let fake = Fake::at(Timestamp::UNIX_EPOCH);
    fake.faults(|_, path| {
        let lacks = path.contains("/commandsets") || path.contains("/accesslocks");
        lacks.then_some(Fault::Status(404))
    });
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let error =
        Access::start(fake.client(), crate::access::AccessSettings::default(), clock, Audit::in_memory())
            .await
            .unwrap_err();
    assert_eq!(
        error.to_string(),
        "this cluster has no `accesslocks.sallyport.dev`, `commandsets.sallyport.dev`: apply the custom resources \
         (`deploy/crds`) of this gateway's version, then start it again"
    );
    assert_eq!(error.exit_status(), 70);
}

#[tokio::test]
async fn a_start_that_nobody_answers_says_that_too() {
    let fake = Fake::at(Timestamp::UNIX_EPOCH);
    fake.faults(|_, _| Some(Fault::Silence));
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let error =
        Access::start(fake.client(), crate::access::AccessSettings::default(), clock, Audit::in_memory())
            .await
            .unwrap_err();
    assert!(error.to_string().contains("does not answer"), "{error}");
    assert_eq!(error.exit_status(), 69);
}
