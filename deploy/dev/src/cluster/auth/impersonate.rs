//! Acting as somebody else: the `Impersonate-*` headers.
//!
//! Every user, group, uid and extra value asked for is one `impersonate` request to the authorizer, under the
//! caller's own identity. <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation>

use std::collections::BTreeMap;

use http::HeaderMap;

use super::User;
use super::user::{AUTHENTICATED, UNAUTHENTICATED, service_account_groups, split_service_account};
use crate::cluster::rbac::Attributes;
use crate::cluster::status::Status;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";

/// What the headers ask for; `None` when they ask for nothing.
pub(crate) fn asked(headers: &HeaderMap) -> Result<Option<User>, Status> {
    let text = |v: &http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let username = headers.get(USER).map(text).unwrap_or_default();
    let groups: Vec<String> = headers.get_all(GROUP).iter().map(text).filter(|g| !g.is_empty()).collect();
    let uid = headers.get(UID).map(text).unwrap_or_default();
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            extra.entry(percent_decoded(key)).or_default().push(text(value));
        }
    }
    if username.is_empty() {
        if groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return Ok(None);
        }
        let what = "requested impersonation of groups, uid or extra without impersonating a user";
        return Err(Status::internal(what));
    }
    Ok(Some(User { username, uid, groups, extra }))
}

/// The questions for the authorizer.
pub(crate) fn checks(asked: &User) -> Vec<Attributes> {
    let mut checks = Vec::new();
    let one = |group: &str, resource: &str, subresource: &str, namespace: &str, name: &str| {
        Attributes::resource("impersonate", group, "v1", resource, namespace, name)
            .with_subresource(subresource)
    };
    match split_service_account(&asked.username) {
        Some((namespace, name)) => checks.push(one("", "serviceaccounts", "", namespace, name)),
        None => checks.push(one("", "users", "", "", &asked.username)),
    }
    checks.extend(asked.groups.iter().map(|g| one("", "groups", "", "", g)));
    if !asked.uid.is_empty() {
        checks.push(one("authentication.k8s.io", "uids", "", "", &asked.uid));
    }
    for (key, values) in &asked.extra {
        checks.extend(values.iter().map(|v| one("authentication.k8s.io", "userextras", key, "", v)));
    }
    checks
}

/// The identity that results once all checks passed: the groups that come by themselves are added.
pub(crate) fn completed(mut user: User) -> User {
    if user.groups.is_empty()
        && let Some((namespace, _)) = split_service_account(&user.username)
    {
        user.groups = service_account_groups(namespace);
    }
    let anonymous = user.username == "system:anonymous";
    let settled = user.is_in(AUTHENTICATED) || user.is_in(UNAUTHENTICATED);
    if anonymous && !settled {
        user.groups.push(UNAUTHENTICATED.into());
    } else if !settled {
        user.groups.push(AUTHENTICATED.into());
    }
    user
}

/// `%41` and the like decoded; what is not a valid escape stays as it is, as in the real server.
pub(crate) fn percent_decoded(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let mut hex = tail.iter();
            let high = hex.next().and_then(|b| char::from(*b).to_digit(16));
            let low = hex.next().and_then(|b| char::from(*b).to_digit(16));
            match (high, low) {
                (Some(h), Some(l)) => {
                    bytes.push(u8::try_from(h * 16 + l).unwrap_or_default());
                    rest = hex.as_slice();
                }
                _ => return key.to_owned(),
            }
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn every_part_is_asked_for_by_itself() {
        let asked = asked(&headers(&[
            ("Impersonate-User", "alice"),
            ("Impersonate-Group", "oncall"),
            ("Impersonate-Group", "sallyport:grant:x"),
            ("Impersonate-Extra-sallyport.dev%2Fsession", "s1"),
        ]))
        .unwrap()
        .unwrap();
        let asked: Vec<String> =
            checks(&asked).iter().map(|c| format!("{} {} {}", c.group, c.combined(), c.name)).collect();
        let expected = [
            " users alice",
            " groups oncall",
            " groups sallyport:grant:x",
            "authentication.k8s.io userextras/sallyport.dev/session s1",
        ];
        assert_eq!(asked, expected);
    }

    #[test]
    fn groups_without_a_user_are_refused() {
        assert!(asked(&headers(&[("Impersonate-Group", "x")])).is_err());
        assert_eq!(asked(&headers(&[])).unwrap(), None);
    }

    #[test]
    fn the_usual_groups_come_by_themselves() {
        let user = |name: &str, groups: &[&str]| {
            let groups = groups.iter().map(|g| (*g).to_owned()).collect();
            completed(User { username: name.into(), groups, ..User::default() }).groups
        };
        assert_eq!(user("alice", &["a"]), ["a", "system:authenticated"]);
        assert_eq!(user("system:anonymous", &[]), ["system:unauthenticated"]);
        let account = ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"];
        assert_eq!(user("system:serviceaccount:ns:x", &[]), account);
    }

    #[test]
    fn escapes_are_decoded_and_broken_ones_kept() {
        for (from, to) in
            [("a%2Fb", "a/b"), ("a%2", "a%2"), ("%zz", "%zz"), ("%c3%a9", "\u{e9}"), ("%ff", "%ff")]
        {
            assert_eq!(percent_decoded(from), to);
        }
    }
}
