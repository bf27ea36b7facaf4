//! CommandSets: what was approved is what runs, also where it stands in a set.

use sallyport_policy::commands::{Commands, Invocation, Way};

use super::*;

/// A policy whose commands a set says.
fn ruled(approvals: u32) -> serde_json::Value {
    let mut policy = policy("debug", approvals);
    policy["spec"]["commands"] = json!({"sets": ["java-team"], "onDenied": "Ask"});
    policy
}

fn set(programs: &[&str]) -> serde_json::Value {
    json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "CommandSet", "metadata": {"name": "java-team"},
        "spec": {"allow": [{"programs": programs}]},
    })
}

impl House {
    /// The policy, its set, and a grant of it.
    async fn of_a_set(programs: &[&str]) -> (Self, Permit) {
        let house = Self::with(&[ruled(0)]).await;
        house.sets(programs).await;
        house.ask(&alice()).await.unwrap();
        let permit = house.permit(&alice()).await.unwrap();
        (house, permit)
    }

    /// Writes the set, and waits until the policy has it.
    async fn sets(&self, programs: &[&str]) {
        self.fake.put("commandsets", &set(programs));
        let wanted = programs.join(" ");
        self.until("the set is known", |house| house.in_force().as_deref() == Some(wanted.as_str())).await;
    }

    /// What the policy in force lets run.
    fn in_force(&self) -> Option<String> {
        let (policy, _) = self.access.in_force("debug")?;
        policy.commands().map(|commands| commands.programs().join(" "))
    }

    fn lets(&self, permit: &Permit, program: &str) -> bool {
        runs(&self.access.commands_of(permit).unwrap(), program)
    }
}

fn runs(commands: &Commands, program: &str) -> bool {
    let invocation = Invocation { argv: vec![program.to_owned()], ..Invocation::default() };
    commands.judge(&invocation, Way::Exec).cleared.is_some()
}

#[tokio::test]
async fn a_policy_is_closed_until_its_set_appears_and_whoever_may_ask_it_is_told_why() {
    let house = House::with(&[ruled(0)]).await;
    let refused = house.ask(&alice()).await.unwrap_err();
    assert_eq!(refused.exit_status(), 77);
    let told = refused.to_string();
    assert!(told.contains("there is no CommandSet `java-team`: make it, or take it out of `sets`"), "{told}");
    let why = house.access.why(&alice(), ask("debug")).unwrap_err().to_string();
    assert!(why.contains("java-team"), "{why}");
    // To everybody else there is no such policy.
    let eve = Identity::for_tests("eve", &["other"]);
    let hidden = house.access.request(&eve, ask("debug")).await.unwrap_err();
    assert!(!hidden.to_string().contains("java-team") && hidden.exit_status() == 64, "{hidden}");
    let event = house.audit.kept().into_iter().find(|event| event.event == Kind::PolicyRejected).unwrap();
    assert_eq!(event.policy.as_deref(), Some("debug"));
    assert!(event.why.unwrap().contains("no CommandSet `java-team`"));

    house.sets(&["jcmd"]).await;
    assert!(house.ask(&alice()).await.is_ok());
    assert_eq!(house.events().iter().filter(|kind| **kind == Kind::SetLoaded).count(), 1);
}

#[tokio::test]
async fn a_mistyped_set_is_answered_with_the_nearest_where_policies_are_written_and_not_where_they_are_asked()
{
    let house = House::with(&[ruled(0)]).await;
    let mut near = set(&["jcmd"]);
    near["metadata"]["name"] = json!("java-teams");
    house.fake.put("commandsets", &near);
    let said = |house: &House| {
        house.audit.kept().into_iter().any(|event| {
            event.event == Kind::PolicyRejected
                && event.why.is_some_and(|why| {
                    why.contains("`java-team`") && why.contains("did you mean `java-teams`")
                })
        })
    };
    house.until("the event names it", |house| house.in_force().is_none() && said(house)).await;
    let told = house.ask(&alice()).await.unwrap_err().to_string();
    assert!(told.contains("no CommandSet `java-team`") && !told.contains("java-teams"), "{told}");
}

#[tokio::test]
async fn a_grant_keeps_what_the_set_said_when_it_was_approved_and_a_narrower_one_counts() {
    let (house, permit) = House::of_a_set(&["jcmd", "jstack"]).await;
    assert!(house.lets(&permit, "jcmd") && house.lets(&permit, "jstack"));
    let stored = house.fake.get("accessrequests", permit.request().as_str()).unwrap();
    assert_eq!(
        stored["status"]["policy"]["sets"][0]["spec"],
        json!({"allow": [{"programs": ["jcmd", "jstack"]}]})
    );
    // Wider: nothing is gained.
    house.sets(&["id", "jcmd", "jstack"]).await;
    let permit = house.permit(&alice()).await.unwrap();
    assert!(house.lets(&permit, "jcmd") && !house.lets(&permit, "id"));
    // Narrower: what it no longer has is lost.
    house.sets(&["id", "jcmd"]).await;
    assert!(house.lets(&permit, "jcmd") && !house.lets(&permit, "jstack") && !house.lets(&permit, "id"));
    // A forbid that the set gained.
    let mut forbids = set(&["jcmd"]);
    forbids["spec"]["deny"] = json!([{"programs": ["jcmd"]}]);
    house.fake.put("commandsets", &forbids);
    house.until("the forbid is known", |house| !house.lets(&permit, "jcmd")).await;
}

#[tokio::test]
async fn a_set_that_goes_lets_nobody_in_and_ends_no_grant() {
    let (house, permit) = House::of_a_set(&["jcmd"]).await;
    house.fake.remove("commandsets", "java-team");
    house.until("it is known", |house| house.in_force().is_none()).await;
    assert!(!house.lets(&permit, "jcmd"), "a session that begins this moment runs nothing");
    let refused = house.permit(&alice()).await.unwrap_err();
    let told = refused.to_string();
    assert_eq!(refused.exit_status(), 77);
    assert!(told.contains("no CommandSet `java-team`") && told.contains(permit.request().as_str()), "{told}");
    // Rounds of reconciling pass.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stored = house.fake.get("accessrequests", permit.request().as_str()).unwrap();
    assert_eq!(stored["status"]["phase"], "Active");
    house.sets(&["jcmd"]).await;
    let permit = house.permit(&alice()).await.unwrap();
    assert!(house.lets(&permit, "jcmd"));
}

#[tokio::test]
async fn approvals_that_were_given_for_another_content_of_the_set_do_not_count() {
    let house = House::with(&[ruled(2)]).await;
    house.sets(&["jcmd"]).await;
    let asked = house.ask(&alice()).await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    assert_eq!(house.access.approve(&bob(), &name).await.unwrap().approvals_missing, 1);
    house.sets(&["id", "jcmd"]).await;
    let carol = Identity::for_tests("carol", &["leads"]);
    let view = house.access.approve(&carol, &name).await.unwrap();
    assert_eq!((view.phase, view.approvals_missing), (Phase::Pending, 1));
    assert_eq!(house.access.approve(&bob(), &name).await.unwrap().phase, Phase::Active);
    let permit = house.permit(&alice()).await.unwrap();
    assert!(house.lets(&permit, "id"));
}

#[tokio::test]
async fn nothing_is_approved_under_a_policy_that_a_missing_set_has_closed() {
    let house = House::with(&[ruled(1)]).await;
    house.sets(&["jcmd"]).await;
    let asked = house.ask(&alice()).await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    house.fake.remove("commandsets", "java-team");
    house.until("it is known", |house| house.in_force().is_none()).await;
    let refused = house.access.approve(&bob(), &name).await.unwrap_err().to_string();
    assert!(refused.contains("no CommandSet `java-team`"), "{refused}");
    house.sets(&["jcmd"]).await;
    assert_eq!(house.access.approve(&bob(), &name).await.unwrap().phase, Phase::Active);
}

#[tokio::test]
async fn one_command_can_be_approved_beside_what_a_set_lets_run() {
    let (house, permit) = House::of_a_set(&["jcmd"]).await;
    let asked = house.access.ask_once(&permit, "s-1", "payments/pod-0 (app)", "jmap 1").await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    house.access.approve(&bob(), &name).await.unwrap();
    let by = house.access.approved_once(&alice(), &name, "s-1", "jmap 1").await.unwrap();
    assert_eq!(by.as_deref(), Some("bob"));
}

#[tokio::test]
async fn without_news_of_sets_nobody_is_let_in() {
    let (house, _permit) = House::of_a_set(&["jcmd"]).await;
    house.fake.faults(|_, path| path.contains("commandsets").then_some(Fault::Status(403)));
    house.fake.cut_watches();
    house.until("the copy is too old", |house| !house.access.healthy()).await;
    assert_eq!(house.permit(&alice()).await.unwrap_err().exit_status(), 69);
}
