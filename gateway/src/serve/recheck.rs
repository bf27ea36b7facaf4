//! What the sign-in provider's later answers mean for requests and grants.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::access::{Access, KUBERNETES};
use crate::audit::{Audit, Event, Kind, Outcome};
use crate::clock::SharedClock;
use crate::identity::{Identity, People, Watch};

/// Requests and grants, as the provider's answers reach them.
#[derive(Debug)]
pub(super) struct Grants {
    access: Access,
    clock: SharedClock,
    audit: Audit,
}

impl Grants {
    pub(super) const fn new(access: Access, clock: SharedClock, audit: Audit) -> Self {
        Self { access, clock, audit }
    }
}

impl Watch for Grants {
    fn people(&self) -> People {
        let mut people = People::default();
        for who in self.access.people_with_grants() {
            if who.issuer == KUBERNETES {
                people.usernames.insert(who.username);
            } else {
                people.accounts.insert((who.issuer, who.subject));
            }
        }
        people
    }

    fn shown<'a>(&'a self, who: &'a Identity) -> BoxFuture<'a, Vec<String>> {
        self.access.renewed(who).boxed()
    }

    fn gone<'a>(&'a self, who: &'a Identity, why: &'a str) -> BoxFuture<'a, Vec<String>> {
        self.access.disowned(who, why).boxed()
    }

    fn lost(&self, who: &Identity, why: &str) {
        let mut event = Event::new(self.clock.now(), Kind::PersonUnchecked, Outcome::Failed);
        event.person = Some(who.audit_person());
        event.why = Some(why.to_owned());
        self.audit.record(event);
    }
}
