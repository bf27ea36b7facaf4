//! Locks over SSH: who may set and lift them, and which there are. What is open ends by the reconciler's hand, within
//! a second; reading and writing here is live, since a lock that is a moment old is the one that matters.

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams};
use sallyport_policy::PolicyName;

use super::{Access, AccessError, LockAsk, LockSubject, LockView, Refusal, text};
use crate::audit::{Event, Kind, Outcome};
use crate::crd::{AccessLock, AccessLockSpec, LockTarget};
use crate::identity::Identity;

/// More locks than anybody sets by hand.
pub(super) const MOST: u32 = 500;

impl Access {
    fn may_lock(&self, who: &Identity, verb: &str) -> Result<(), AccessError> {
        if who.by_codes() {
            return Err(self.refuse_by_codes(who, verb, None, verb));
        }
        let lockers = &self.inner.settings.lockers;
        if lockers.iter().any(|group| who.groups().contains(group)) {
            return Ok(());
        }
        let hint = if lockers.is_empty() {
            "no group may: the gateway's configuration names them in `locks.groups`".to_owned()
        } else {
            format!("ask one of {}", lockers.iter().cloned().collect::<Vec<_>>().join(", "))
        };
        let refusal = Refusal {
            what: format!("{verb}: you are in no group that may"),
            rule: "configuration: locks.groups".to_owned(),
            hint,
            ..Refusal::default()
        };
        self.inner.audit.record(Event {
            person: Some(who.audit_person()),
            action: Some(verb.to_owned()),
            why: Some(refusal.to_string()),
            ..Event::new(self.now(), Kind::AccessRefused, Outcome::Refused)
        });
        Err(refusal.into())
    }

    /// Shuts out.
    ///
    /// # Errors
    /// Refused to who is in none of the groups that may; or the API server does not take it.
    pub async fn lock(&self, who: &Identity, ask: LockAsk) -> Result<LockView, AccessError> {
        self.may_lock(who, "lock")?;
        let object = object(who.username(), ask)?;
        let api = self.locks_api();
        let made = self.bounded("set a lock", api.create(&PostParams::default(), &object)).await?;
        self.note(who, &made, Kind::LockSet);
        Ok(self.lock_view(&made, who))
    }

    /// Lifts a lock.
    ///
    /// # Errors
    /// Refused as [`Access::lock`]; or there is none of that name.
    pub async fn unlock(&self, who: &Identity, name: &str) -> Result<LockView, AccessError> {
        self.may_lock(who, "unlock")?;
        let unknown = || AccessError::NotFound {
            kind: "lock",
            name: name.to_owned(),
            near: String::new(),
            list: "locks",
        };
        let api = self.locks_api();
        let found = self.bounded("read a lock", api.get_opt(name)).await?.ok_or_else(unknown)?;
        self.bounded("lift a lock", api.delete(name, &DeleteParams::default())).await?;
        self.note(who, &found, Kind::LockLifted);
        Ok(self.lock_view(&found, who))
    }

    /// The locks that have not ended, the newest first: all of them for those who may lock, else those that hit `who`.
    ///
    /// # Errors
    /// When the API server does not give them.
    pub async fn locks(&self, who: &Identity) -> Result<Vec<LockView>, AccessError> {
        let params = ListParams::default().limit(MOST);
        let found = self.bounded("list locks", self.locks_api().list(&params)).await?;
        let (now, all) = (self.now(), self.lockers_include(who));
        let mut views: Vec<LockView> = found.items.iter().map(|lock| self.lock_view(lock, who)).collect();
        views.retain(|lock| lock.until.is_none_or(|until| now < until) && (all || lock.hits_me));
        views.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
        Ok(views)
    }

    fn lockers_include(&self, who: &Identity) -> bool {
        self.inner.settings.lockers.iter().any(|group| who.groups().contains(group))
    }

    fn locks_api(&self) -> Api<AccessLock> {
        Api::all(self.inner.client.clone())
    }

    fn note(&self, who: &Identity, lock: &AccessLock, kind: Kind) {
        self.inner.audit.record(Event {
            person: Some(who.audit_person()),
            reason: lock.spec.reason.clone(),
            why: Some(format!("{}: {}", lock.name_any(), subject(&lock.spec))),
            ..Event::new(self.now(), kind, Outcome::Ok)
        });
    }

    fn lock_view(&self, lock: &AccessLock, who: &Identity) -> LockView {
        let spec = &lock.spec;
        // A place concerns those who could ask for it.
        let concerns = |target: &LockTarget| {
            self.policies_for(who).iter().any(|policy| policy.namespaces.contains(&target.namespace))
        };
        let hits_me = spec.everything
            || spec.person.as_deref() == Some(who.username())
            || spec.target.as_ref().is_some_and(concerns);
        view(lock, hits_me)
    }
}

pub(super) fn view(lock: &AccessLock, hits_me: bool) -> LockView {
    let spec = &lock.spec;
    let target = spec.target.clone();
    LockView {
        name: lock.name_any(),
        hits_me,
        person: spec.person.clone(),
        namespace: target.as_ref().map(|target| target.namespace.clone()),
        pod: target.and_then(|target| target.pod),
        everything: spec.everything,
        reason: spec.reason.clone(),
        by: spec.by.clone(),
        created: lock.creation_timestamp().map(|time| time.0).unwrap_or_default(),
        until: spec.until,
    }
}

/// The lock that is asked for, under a name of its own.
pub(super) fn object(by: &str, ask: LockAsk) -> Result<AccessLock, AccessError> {
    let spec = spec(by, ask)?;
    let prefix = PolicyName::parse("lock").map_err(|error| AccessError::Invalid(error.to_string()))?;
    let metadata = ObjectMeta { name: Some(text::request_name(&prefix)?.to_string()), ..Default::default() };
    Ok(AccessLock { metadata, spec })
}

fn spec(by: &str, ask: LockAsk) -> Result<AccessLockSpec, AccessError> {
    let LockAsk { subject, reason, until } = ask;
    let until: Option<Timestamp> = until.map(crate::crd::to_the_millisecond);
    let mut spec = AccessLockSpec {
        person: None,
        target: None,
        everything: false,
        reason: text::reason(reason)?,
        by: Some(by.to_owned()),
        until,
    };
    match subject {
        LockSubject::Person(name)
            if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) =>
        {
            return Err(AccessError::Invalid(
                "a username has 1 to 256 characters that can be printed".to_owned(),
            ));
        }
        LockSubject::Person(name) => spec.person = Some(name),
        LockSubject::Target { namespace, pod } => {
            let pod = pod.map(|pod| pod.to_string());
            spec.target = Some(LockTarget { namespace: namespace.to_string(), pod });
        }
        LockSubject::Everything => spec.everything = true,
    }
    Ok(spec)
}

fn subject(spec: &AccessLockSpec) -> String {
    match (&spec.person, &spec.target) {
        (Some(person), _) => format!("person {person}"),
        (None, Some(target)) => match &target.pod {
            Some(pod) => format!("pod {pod} in {}", target.namespace),
            None => format!("namespace {}", target.namespace),
        },
        (None, None) => "everything".to_owned(),
    }
}
