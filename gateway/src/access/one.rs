//! One request, for its page: also when the lists leave it out.

use sallyport_policy::{Policy, RequestName};

use super::{Access, RequestView, show};
use crate::crd::AccessRequest;
use crate::identity::Identity;

impl Access {
    /// The request of this name, where it concerns `who`: their own, one of a policy whose approver they are, or a
    /// break-glass that they may review or have reviewed.
    #[must_use]
    pub fn one(&self, who: &Identity, name: &RequestName) -> Option<RequestView> {
        let request = self.inner.requests.get(name.as_str())?;
        let table = self.inner.policies.current();
        let theirs = show::concerns(&request, who, &table) || is_reviewer(&request, who);
        theirs.then(|| show::request_view(&request, who, &table, self.now()))
    }

    /// Whether there is a request of this name and uid.
    #[must_use]
    pub fn is_there(&self, name: &RequestName, uid: &str) -> bool {
        let found = self.inner.requests.get(name.as_str());
        found.is_some_and(|request| request.metadata.uid.as_deref() == Some(uid))
    }
}

fn is_reviewer(request: &AccessRequest, who: &Identity) -> bool {
    let approved = request.terms().ok().flatten();
    let reviewers = approved.as_ref().and_then(Policy::reviewers);
    request.status.as_ref().is_some_and(|status| status.review.is_some())
        && reviewers.is_some_and(|groups| show::person(who).in_any(groups).is_some())
}
