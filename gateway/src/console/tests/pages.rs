//! What people do in a browser.

use super::*;

#[tokio::test]
async fn bob_signs_in_sees_what_waits_and_approves_it() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let mut bob = house.signed_in("bob").await;
    let home = bob.get("/").await;
    let waiting =
        home.body.split_once("id=\"waiting\"").unwrap().1.split_once("</section>").unwrap().0.to_owned();
    assert!(waiting.contains(&format!("/requests/{}", asked.name)) && waiting.contains("INC-1"), "{waiting}");
    let page = bob.get(&format!("/requests/{}", asked.name)).await;
    for said in
        ["id=\"approve\"", "id=\"deny\"", "id=\"reason\"", "alice", "payments", "INC-1", "1h", "shell, exec"]
    {
        assert!(page.shows(said), "{said}: {}", page.body);
    }
    assert!(!page.shows("id=\"revoke\"") && !page.shows("id=\"review\"") && !page.shows("id=\"error\""));
    let csrf = page.field("csrf");
    let done = bob.post(&format!("/requests/{}/approve", asked.name), &[("csrf", &csrf)]).await;
    assert_eq!((done.status, done.header("location")), (303, &*format!("/requests/{}", asked.name)));
    assert_eq!(house.view(&asked.name).phase, Phase::Active);
    let page = bob.get(&format!("/requests/{}", asked.name)).await;
    assert!(page.shows(">Active</span>") && page.shows("approved by bob") && page.shows("id=\"revoke\""));
    assert!(!page.shows("id=\"approve\""));
    let fields = [("csrf", &*csrf), ("reason", "enough now")];
    let done = bob.post(&format!("/requests/{}/revoke", asked.name), &fields).await;
    assert_eq!(done.status, 303);
    let view = house.view(&asked.name);
    assert_eq!(
        (view.phase, view.revocation.unwrap().reason.as_deref()),
        (Phase::Revoked, Some("enough now"))
    );
}

#[tokio::test]
async fn a_denial_carries_its_reason() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let mut bob = house.signed_in("bob").await;
    let csrf = bob.csrf().await;
    let fields = [("csrf", &*csrf), ("reason", "not tonight")];
    assert_eq!(bob.post(&format!("/requests/{}/deny", asked.name), &fields).await.status, 303);
    let page = bob.get(&format!("/requests/{}", asked.name)).await;
    assert!(page.shows(">Denied</span>") && page.shows("denied by bob: not tonight"), "{}", page.body);
}

#[tokio::test]
async fn nobody_approves_their_own_request_and_the_page_says_what_ssh_says() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let mut alice = house.signed_in("alice").await;
    let path = format!("/requests/{}", asked.name);
    let page = alice.get(&path).await;
    assert!(!page.shows("id=\"approve\"") && page.shows("Take it back"));
    let csrf = page.field("csrf");
    let refused = alice.post(&format!("{path}/approve"), &[("csrf", &csrf)]).await;
    assert_eq!(refused.status, 403);
    let name = RequestName::parse(&asked.name).unwrap();
    let over_ssh =
        house.access.approve(&house.person("alice", "oncall"), &name).await.unwrap_err().to_string();
    assert!(over_ssh.starts_with("refused: "));
    let mut line = super::super::html::Html::new();
    line.text(&over_ssh);
    let line = line.into_text();
    assert!(
        refused.shows("id=\"error\"") && refused.shows(&line) && refused.shows("INC-1"),
        "{}",
        refused.body
    );
    assert_eq!(house.view(&asked.name).phase, Phase::Pending);
    assert_eq!(alice.post(&format!("{path}/revoke"), &[("csrf", &csrf)]).await.status, 303);
    assert_eq!(house.view(&asked.name).phase, Phase::Revoked);
}

#[tokio::test]
async fn sam_reviews_a_break_glass_and_still_sees_it_afterwards() {
    let house = House::open().await;
    let asked = house.asked("glass").await;
    assert_eq!(asked.phase, Phase::Active);
    let name = RequestName::parse(&asked.name).unwrap();
    house.access.revoke(&house.person("alice", "oncall"), &name, None).await.unwrap();
    let mut sam = house.signed_in("sam").await;
    let home = sam.get("/").await;
    assert!(home.shows("id=\"reviews\"") && home.shows(&asked.name), "{}", home.body);
    let path = format!("/requests/{}", asked.name);
    let page = sam.get(&path).await;
    for id in ["review", "verdict", "comment"] {
        assert!(page.shows(&format!("id=\"{id}\"")), "{id}");
    }
    let csrf = page.field("csrf");
    let without = sam.post(&format!("{path}/review"), &[("csrf", &csrf), ("verdict", "justified")]).await;
    assert_eq!(without.status, 422);
    assert!(without.shows("id=\"error\""));
    let fields = [("csrf", &*csrf), ("verdict", "unjustified"), ("comment", "nobody was on call")];
    assert_eq!(sam.post(&format!("{path}/review"), &fields).await.status, 303);
    let page = sam.get(&path).await;
    assert!(page.shows("reviewed, unjustified, by sam: nobody was on call"), "{}", page.body);
}

#[tokio::test]
async fn a_request_that_is_none_of_theirs_looks_like_none() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let mut sam = house.signed_in("sam").await;
    let theirs = sam.get(&format!("/requests/{}", asked.name)).await;
    let none = sam.get("/requests/debug-zzzzzz").await;
    assert_eq!((theirs.status, none.status), (404, 404));
    assert_eq!(theirs.body.replace(&asked.name, "X"), none.body.replace("debug-zzzzzz", "X"));
    let csrf = theirs.field("csrf");
    let refused = sam.post(&format!("/requests/{}/approve", asked.name), &[("csrf", &csrf)]).await;
    assert!(matches!(refused.status, 403 | 404) && !refused.shows("INC-1"), "{refused:?}");
}

#[tokio::test]
async fn signing_in_and_out_is_written_down_and_ends_the_session() {
    let house = House::open().await;
    let mut bob = house.signed_in("bob").await;
    let event = house.events(Kind::SigninSucceeded).pop().unwrap();
    assert_eq!(event.person.unwrap().username, "bob");
    assert_eq!((event.action.as_deref(), event.peer.is_some()), (Some("console"), true));
    let (csrf, before) = (bob.csrf().await, bob.cookies.clone());
    assert_eq!(bob.post("/logout", &[("csrf", &csrf)]).await.status, 303);
    assert!(bob.session().is_none());
    bob.cookies = before;
    assert!(!bob.get("/").await.shows("whoami"), "the old cookie opens nothing");
}

#[tokio::test]
async fn a_person_comes_back_to_the_page_that_they_wanted() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let path = format!("/requests/{}", asked.name);
    let mut bob = house.browser();
    let first = bob.get(&path).await;
    assert_eq!((first.status, first.header("location")), (303, &*format!("/login?to={path}")));
    let page = bob.sign_in("bob", &format!("/login?to={path}")).await;
    assert!(page.shows("id=\"approve\""), "{page:?}");
}

#[tokio::test]
async fn without_a_public_address_nobody_signs_in_and_the_page_says_why() {
    let house = House::with(|_| None).await;
    let mut browser = house.browser();
    for path in ["/", "/login", "/callback?state=x&code=y", "/requests/debug-x1"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 503, "{path}");
        assert!(page.shows("console.publicUrl"), "{path}");
    }
    assert_eq!(browser.get("/healthz").await.body, "ok\n");
}

#[tokio::test]
async fn health_is_told_to_probes() {
    let house = House::open().await;
    assert_eq!(house.browser().get("/readyz").await.status, 200);
    let style = house.browser().get("/static/style.css").await;
    assert!(style.header("content-type").starts_with("text/css") && style.shows("color-scheme"));
}
