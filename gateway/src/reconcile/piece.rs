//! One object that a grant has opened: whose it is, and how it differs from what it should be.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use sallyport_policy::RequestName;

use crate::crd::{AccessRequest, ENDS_ANNOTATION, MANAGED_BY, Opened, REQUEST_LABEL};

/// An object of one of the kinds that grants open.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Rights in a namespace.
    Binding(Arc<RoleBinding>),
    /// A network path.
    Path(Arc<NetworkPolicy>),
}

/// What is wrong with a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// In words.
    pub(super) what: String,
    /// It cannot be changed, only made anew.
    pub(super) anew: bool,
    /// The grant's own end moved; nobody did anything to the piece.
    pub(super) moved: bool,
}

impl From<RoleBinding> for Piece {
    fn from(binding: RoleBinding) -> Self {
        Self::Binding(Arc::new(binding))
    }
}

impl From<NetworkPolicy> for Piece {
    fn from(path: NetworkPolicy) -> Self {
        Self::Path(Arc::new(path))
    }
}

impl Piece {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Binding(_) => "RoleBinding",
            Self::Path(_) => "NetworkPolicy",
        }
    }

    pub(super) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Binding(binding) => &binding.metadata,
            Self::Path(path) => &path.metadata,
        }
    }

    /// As it stands in the register.
    pub(super) fn opened(&self) -> Opened {
        let metadata = self.metadata();
        Opened {
            kind: self.kind().to_owned(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }

    /// The request that it was opened for. Only what has our labels and a name that we give is ours.
    pub(super) fn request(&self) -> Option<&str> {
        let metadata = self.metadata();
        let labels = metadata.labels.as_ref()?;
        let request = labels.get(REQUEST_LABEL)?;
        let ours = labels.get(MANAGED_BY.0).is_some_and(|by| by == MANAGED_BY.1);
        let rest = metadata.name.as_deref()?.strip_prefix("sallyport-")?.strip_prefix(request.as_str())?;
        let named = match self {
            Self::Binding(_) => matches!(rest, "" | "-own"),
            Self::Path(_) => matches!(rest, "-in" | "-out"),
        };
        (ours && named).then_some(request.as_str())
    }

    /// Whether it was made for this request although its labels do not say so: it still names the request as its
    /// owner, or gives rights to the grant's group.
    pub(super) fn was_for(&self, request: &AccessRequest) -> bool {
        let owned = self.metadata().owner_references.iter().flatten();
        let group = request.request_name().map(|name| name.group()).unwrap_or_default();
        let named = match self {
            Self::Binding(binding) => binding.subjects.iter().flatten().any(|one| one.name == group),
            Self::Path(_) => false,
        };
        named || owned.into_iter().any(|owner| Some(&owner.uid) == request.metadata.uid.as_ref())
    }

    /// Whether it is on its way out already.
    pub(super) fn is_going(&self) -> bool {
        self.metadata().deletion_timestamp.is_some()
    }

    /// How what is there differs from what is wanted. `ends`: the ends that the grant has had before.
    pub(super) fn differs(&self, wanted: &Self, ends: &[Timestamp]) -> Option<Difference> {
        let what = |what: String, anew| Some(Difference { what, anew, moved: false });
        match (self, wanted) {
            (Self::Binding(there), Self::Binding(wanted)) => {
                let (is, was) = (&there.role_ref, &wanted.role_ref);
                if (&is.kind, &is.name) != (&was.kind, &was.name) {
                    return what(format!("it bound {} `{}`", is.kind, is.name), true);
                }
                // A server may leave the group out where it is the usual one.
                let subjects = |binding: &RoleBinding| {
                    let subjects = binding.subjects.iter().flatten();
                    subjects
                        .map(|one| (one.kind.clone(), one.name.clone(), one.namespace.clone()))
                        .collect::<Vec<_>>()
                };
                if subjects(there) != subjects(wanted) {
                    let names: Vec<_> = subjects(there)
                        .into_iter()
                        .take(4)
                        .map(|(kind, name, _)| format!("{kind} `{name}`"))
                        .collect();
                    let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
                    return what(format!("it gave the rights to {names}"), false);
                }
            }
            (Self::Path(there), Self::Path(wanted)) => {
                if there.spec != wanted.spec {
                    return what("what it lets through was changed".to_owned(), false);
                }
            }
            _ => return what("it was of another kind".to_owned(), true),
        }
        let (is, should) = (self.metadata(), wanted.metadata());
        let owners = |metadata: &ObjectMeta| {
            metadata.owner_references.iter().flatten().map(|owner| owner.uid.clone()).collect::<Vec<_>>()
        };
        if owners(is) != owners(should) {
            return what("it no longer belonged to the request".to_owned(), false);
        }
        let label = |(key, value)| is.labels.as_ref().and_then(|labels| labels.get(key)) == Some(value);
        if !should.labels.iter().flatten().all(label) {
            return what("its labels were changed".to_owned(), false);
        }
        let end = |metadata: &ObjectMeta| metadata.annotations.as_ref()?.get(ENDS_ANNOTATION).cloned();
        if end(is) != end(should) {
            let before = end(is).and_then(|text| text.parse::<Timestamp>().ok());
            let moved = before.is_some_and(|before| ends.contains(&before));
            let shown = end(is).unwrap_or_else(|| "nothing".to_owned());
            let shown: String = shown.chars().filter(|c| !c.is_control()).take(40).collect();
            return Some(Difference { what: format!("its end said `{shown}`"), anew: false, moved });
        }
        None
    }

    /// `wanted` in the place of what is there: what others have put beside ours stays.
    pub(super) fn mended(&self, wanted: &Self) -> Self {
        let merge = |there: &ObjectMeta, wanted: &ObjectMeta| {
            let mut metadata = there.clone();
            metadata.labels.get_or_insert_default().extend(wanted.labels.clone().unwrap_or_default());
            metadata
                .annotations
                .get_or_insert_default()
                .extend(wanted.annotations.clone().unwrap_or_default());
            metadata.owner_references.clone_from(&wanted.owner_references);
            metadata
        };
        match wanted {
            Self::Binding(binding) => {
                let mut binding = RoleBinding::clone(binding);
                binding.metadata = merge(self.metadata(), &binding.metadata);
                binding.into()
            }
            Self::Path(path) => {
                let mut path = NetworkPolicy::clone(path);
                path.metadata = merge(self.metadata(), &path.metadata);
                path.into()
            }
        }
    }
}

/// What every piece carries: whose it is, for which grant, until when. It is owned by the request, so that the cluster
/// removes it when the request is deleted, even while no gateway runs.
pub(super) fn metadata(
    request: &AccessRequest,
    name: &RequestName,
    suffix: &str,
    namespace: &str,
    ends: Timestamp,
) -> ObjectMeta {
    let labels = BTreeMap::from([
        (MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned()),
        (REQUEST_LABEL.to_owned(), name.to_string()),
    ]);
    ObjectMeta {
        name: Some(format!("{}{suffix}", name.binding())),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels),
        annotations: Some(BTreeMap::from([(ENDS_ANNOTATION.to_owned(), ends.to_string())])),
        owner_references: Some(vec![OwnerReference {
            api_version: AccessRequest::api_version(&()).into_owned(),
            kind: AccessRequest::kind(&()).into_owned(),
            name: request.name_any(),
            uid: request.uid().unwrap_or_default(),
            ..OwnerReference::default()
        }]),
        ..ObjectMeta::default()
    }
}
