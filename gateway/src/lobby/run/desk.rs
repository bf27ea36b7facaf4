//! A desk for the tests: fixed data, and what was asked of it.

use super::*;

/// A desk with fixed data; what is done to a request answers with `after`, or with a refusal.
#[derive(Default)]
pub(in crate::lobby) struct Fixed {
    pub(in crate::lobby) policies: Vec<PolicyView>,
    pub(in crate::lobby) requests: Vec<RequestView>,
    pub(in crate::lobby) grants: Vec<RequestView>,
    pub(in crate::lobby) pods: Vec<PodRow>,
    pub(in crate::lobby) after: Option<RequestView>,
    pub(in crate::lobby) locks: Vec<LockView>,
    /// What the request looks like each time that something changes.
    pub(in crate::lobby) later: Mutex<Vec<RequestView>>,
    pub(in crate::lobby) shown: Mutex<Vec<RequestView>>,
}

fn refused() -> Failure {
    Failure { text: "refused: no grant of yours covers it".to_owned(), exit: 77 }
}

impl Fixed {
    pub(super) fn outcome(&self) -> Result<RequestView, Failure> {
        let refusal = Refusal {
            what: "approving `oncall-debug-7k2m9x`: it is your own request".to_owned(),
            rule: "policy `oncall-debug`: nobody approves their own".to_owned(),
            hint: "ask one of leads".to_owned(),
            decided: None,
        };
        self.after.clone().ok_or_else(|| AccessError::Refused(refusal).into())
    }
}

impl Desk for Fixed {
    fn policies(&self) -> Vec<PolicyView> {
        self.policies.clone()
    }
    fn requests(&self) -> Vec<RequestView> {
        let shown = self.shown.lock().unwrap();
        if shown.is_empty() { self.requests.clone() } else { shown.clone() }
    }
    fn grants(&self) -> Vec<RequestView> {
        self.grants.clone()
    }
    async fn request(&self, ask: Ask) -> Result<RequestView, Failure> {
        assert_eq!(ask.policy.as_str(), "oncall-debug");
        self.outcome()
    }
    async fn approve(&self, _: &RequestName) -> Result<RequestView, Failure> {
        self.outcome()
    }
    async fn deny(&self, _: &RequestName, _: Option<String>) -> Result<RequestView, Failure> {
        self.outcome()
    }
    async fn revoke(&self, _: &RequestName, _: Option<String>) -> Result<RequestView, Failure> {
        self.outcome()
    }
    async fn extend(&self, _: &RequestName, _: Duration, _: Option<String>) -> Result<RequestView, Failure> {
        self.outcome()
    }
    fn reviews(&self) -> Vec<RequestView> {
        self.requests.iter().filter(|request| request.may_review).cloned().collect()
    }
    async fn review(&self, _: &RequestName, _: ReviewVerdict, _: String) -> Result<RequestView, Failure> {
        self.outcome()
    }
    async fn locks(&self) -> Result<Vec<LockView>, Failure> {
        Ok(self.locks.clone())
    }
    async fn lock(&self, ask: LockAsk) -> Result<LockView, Failure> {
        let until = ask.until;
        let of = |lock: LockView| LockView { until, reason: ask.reason, ..lock };
        self.locks.first().cloned().map(of).ok_or_else(refused)
    }
    async fn unlock(&self, _: &str) -> Result<LockView, Failure> {
        self.locks.first().cloned().ok_or_else(refused)
    }
    fn why(&self, ask: Ask) -> Result<WhyView, Failure> {
        let step =
            |rule: &str, holds, why: &str| WhyStep { rule: rule.to_owned(), holds, why: why.to_owned() };
        Ok(WhyView {
            policy: ask.policy.to_string(),
            outcome: "denied",
            steps: vec![
                step("subjects.groups", Some(true), ""),
                step("maxDuration", Some(false), "4h is more than 2h"),
                step("when", None, "not reached"),
            ],
        })
    }
    async fn may(&self, action: Action, target: &Target) -> Result<May, Failure> {
        let grant = self.grants.first().filter(|grant| grant.allow.contains(&action.to_string().as_str()));
        grant.map_or_else(
            || Err(refused()),
            |grant| {
                Ok(May {
                    grant: grant.name.clone(),
                    policy: grant.policy.clone(),
                    pod: target.name.clone(),
                    until: at("03:00:00"),
                })
            },
        )
    }
    async fn changed(&self) {
        let mut later = self.later.lock().unwrap();
        if !later.is_empty() {
            *self.shown.lock().unwrap() = vec![later.remove(0)];
        }
    }
    fn now(&self) -> Timestamp {
        at("02:00:30")
    }
    async fn pods(&self, _: &Namespace) -> Result<Vec<PodRow>, Failure> {
        Ok(self.pods.clone())
    }
}
