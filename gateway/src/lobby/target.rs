//! How people name what they want to be in: `POD`, `deploy/NAME`, or `pod.namespace+container` before the `@`.

use sallyport_policy::names::{ContainerName, Namespace, PodName};

use super::usage::UsageError;
use crate::bridge::{Target, TargetKind};

/// A target as typed; its namespace may still have to be found ([`super::place`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetArg {
    /// The namespace, if one was said.
    pub namespace: Option<Namespace>,
    /// What kind of object names the pod.
    pub kind: TargetKind,
    /// Its name.
    pub name: PodName,
    /// The container, if one was said.
    pub container: Option<ContainerName>,
}

impl TargetArg {
    /// The target, once its namespace is known.
    #[must_use]
    pub fn within(&self, namespace: &Namespace) -> Target {
        Target {
            namespace: namespace.clone(),
            kind: self.kind,
            name: self.name.to_string(),
            container: self.container.clone(),
        }
    }
}

/// What the kinds are called in messages and help.
pub(super) const FORMS: &str = "POD, deploy/NAME, sts/NAME or job/NAME";

/// `POD` or `KIND/NAME`.
pub(super) fn parse(typed: &str) -> Result<(TargetKind, PodName), UsageError> {
    let invalid = |why: String| UsageError::Invalid { what: "the target", value: typed.to_owned(), why };
    let (kind, name) = match typed.split_once('/') {
        None => (TargetKind::Pod, typed),
        Some((before, name)) => match TargetKind::parse(&before.to_ascii_lowercase()) {
            Some(kind) => (kind, name),
            None => return Err(invalid(format!("a target is {FORMS}"))),
        },
    };
    Ok((kind, PodName::parse(name)?))
}

/// `[KIND/]NAME.NAMESPACE[+CONTAINER]` from the SSH user name. Names of pods may contain dots and namespaces may
/// not, so the namespace is what follows the last dot. `None` for all that is not of this form: an ordinary
/// user name.
#[must_use]
pub fn from_user_name(user: &str) -> Option<TargetArg> {
    let (place, container) = match user.split_once('+') {
        Some((place, container)) => (place, Some(ContainerName::parse(container).ok()?)),
        None => (user, None),
    };
    let (name, namespace) = place.rsplit_once('.')?;
    let (kind, name) = parse(name).ok()?;
    Some(TargetArg { namespace: Some(Namespace::parse(namespace).ok()?), kind, name, container })
}

/// The part of the SSH user name that may hold a target, for [`super::parse`]. `ssh` sends the local account's name when none
/// is typed, and `j.smith` looks like pod `j` in namespace `smith`: somebody's own name is no target.
#[must_use]
pub fn not_own_name<'a>(user: &'a str, username: &str) -> &'a str {
    let own = username.rsplit_once(':').map_or(username, |(_, rest)| rest);
    let local = own.split_once('@').map_or(own, |(local, _)| local);
    let is_own = [username, own, local].iter().any(|name| name.eq_ignore_ascii_case(user));
    if is_own { "" } else { user }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(target: &TargetArg) -> String {
        let namespace = target.namespace.as_ref().map_or("-", Namespace::as_str);
        let container = target.container.as_ref().map_or("-", ContainerName::as_str);
        format!("{:?} {} in {namespace}, {container}", target.kind, target.name)
    }

    #[test]
    fn the_kinds_kubectl_knows_are_known() {
        for (typed, kind) in [
            ("api-0", TargetKind::Pod),
            ("pod/api-0", TargetKind::Pod),
            ("po/api-0", TargetKind::Pod),
            ("deploy/api-0", TargetKind::Deployment),
            ("Deployment/api-0", TargetKind::Deployment),
            ("deployments.apps/api-0", TargetKind::Deployment),
            ("sts/api-0", TargetKind::StatefulSet),
            ("statefulsets.apps/api-0", TargetKind::StatefulSet),
            ("job/api-0", TargetKind::Job),
            ("svc/api-0", TargetKind::Service),
            ("jobs.batch/api-0", TargetKind::Job),
        ] {
            assert_eq!(parse(typed).unwrap(), (kind, PodName::parse("api-0").unwrap()), "{typed}");
        }
    }

    #[test]
    fn other_kinds_and_bad_names_are_refused_in_words() {
        let text = |typed: &str| parse(typed).unwrap_err().to_string();
        assert_eq!(
            text("ds/api"),
            "the target `ds/api` is not valid: a target is POD, deploy/NAME, sts/NAME or job/NAME"
        );
        assert!(text("deploy.batch/api").contains("a target is POD"));
        for bad in ["", "/", "deploy/", "a/b/c", "Api", "../x", "api\u{1b}[2J", "deploy/a/b", "-x"] {
            let text = text(bad);
            assert!(!text.contains('\u{1b}') && !text.is_empty(), "{bad:?}: {text:?}");
        }
    }

    #[test]
    fn a_user_name_can_hold_a_target() {
        for (user, expected) in [
            ("api-0.payments", "Pod api-0 in payments, -"),
            ("api-0.payments+app", "Pod api-0 in payments, app"),
            ("api.v2.payments", "Pod api.v2 in payments, -"),
            ("deploy/api.payments", "Deployment api in payments, -"),
        ] {
            assert_eq!(shown(&from_user_name(user).unwrap()), expected, "{user}");
        }
    }

    #[test]
    fn ordinary_user_names_hold_none() {
        for user in
            ["", "alice", "alice+x", "Alice.Smith", ".payments", "api.", "a b.c", "a.b+", "a.b+c+d", "a_b.c"]
        {
            assert_eq!(from_user_name(user), None, "{user:?}");
        }
    }

    #[test]
    fn somebodys_own_name_is_no_target() {
        assert_eq!(not_own_name("j.smith", "j.smith"), "");
        assert_eq!(not_own_name("j.smith", "J.Smith@corp.example"), "");
        assert_eq!(not_own_name("j.smith", "oidc:j.smith@corp.example"), "");
        assert_eq!(not_own_name("api-0.payments", "j.smith@corp.example"), "api-0.payments");
    }

    proptest! {
        #[test]
        fn any_user_name_is_read_or_not_and_nothing_falls_over(user in any::<String>()) {
            let _ = from_user_name(&user);
            let _ = parse(&user);
        }

        #[test]
        fn what_is_written_in_a_user_name_comes_back(
            pod in "[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?(\\.[a-z0-9]{1,4}){0,2}",
            namespace in "[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?",
            container in prop::option::of("[a-z]{1,6}"),
        ) {
            let user = match &container {
                Some(container) => format!("{pod}.{namespace}+{container}"),
                None => format!("{pod}.{namespace}"),
            };
            let target = from_user_name(&user).unwrap();
            prop_assert_eq!(target.name.as_str(), pod);
            prop_assert_eq!(target.namespace.unwrap().to_string(), namespace);
            prop_assert_eq!(target.container.map(|name| name.to_string()), container);
        }
    }
}
