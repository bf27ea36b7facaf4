//! The kinds that are always there. Their schemas are those of the Kubernetes API definitions.

use std::sync::{Arc, LazyLock};

use k8s_openapi::api::{
    admissionregistration, apps, authentication, authorization, batch, coordination, core, discovery,
    networking, rbac,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions;
use k8s_openapi::{ListableResource, Resource};
use schemars::{JsonSchema, SchemaGenerator};

use super::{ALL_VERBS, Kind, Subresource};
use crate::cluster::schema::Schema;
use crate::cluster::store::ResourceId;

/// All built-in kinds.
pub(crate) fn kinds() -> &'static [Arc<Kind>] {
    static KINDS: LazyLock<Vec<Arc<Kind>>> = LazyLock::new(build);
    &KINDS
}

/// The definitions that the built-in kinds' schemas refer to, by their full names.
pub(crate) fn definitions() -> &'static Arc<serde_json::Map<String, serde_json::Value>> {
    static DEFINITIONS: LazyLock<Arc<serde_json::Map<String, serde_json::Value>>> = LazyLock::new(|| {
        let mut table = Table::new();
        table.fill();
        let mut definitions = table.schemas.take_definitions(true);
        loosen(&mut definitions);
        Arc::new(definitions)
    });
    &DEFINITIONS
}

/// Fields of a CustomResourceDefinition's schema that hold any JSON, which the published schemas cannot say.
fn loosen(definitions: &mut serde_json::Map<String, serde_json::Value>) {
    for name in ["JSON", "JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray"] {
        let full = format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.{name}");
        definitions.insert(full, serde_json::json!({"x-kubernetes-preserve-unknown-fields": true}));
    }
}

const STATUS: Subresource = Subresource { name: "status", kind: None, verbs: &["get", "patch", "update"] };
const SCALE: Subresource = Subresource {
    name: "scale",
    kind: Some(("autoscaling", "v1", "Scale")),
    verbs: &["get", "patch", "update"],
};
const STREAM: &[&str] = &["create", "get"];

struct Table {
    schemas: SchemaGenerator,
    rows: Vec<(Kind, String)>,
}

fn build() -> Vec<Arc<Kind>> {
    let mut table = Table::new();
    table.fill();
    let rows = std::mem::take(&mut table.rows);
    let with_schema = |(mut kind, name): (Kind, String)| {
        kind.schema = Schema::named(definitions(), &name).map(Arc::new);
        Arc::new(kind)
    };
    rows.into_iter().map(with_schema).collect()
}

impl Table {
    fn new() -> Table {
        Table { schemas: SchemaGenerator::default(), rows: Vec::new() }
    }

    fn add<T: Resource + JsonSchema>(
        &mut self,
        list_kind: &str,
        namespaced: bool,
        names: (&[&str], &[&str]),
        verbs: &[&'static str],
        subresources: &[Subresource],
    ) {
        self.schemas.subschema_for::<T>();
        let kind = Kind {
            id: ResourceId::of(T::GROUP, T::URL_PATH_SEGMENT),
            version: T::VERSION.to_owned(),
            kind: T::KIND.to_owned(),
            list_kind: list_kind.to_owned(),
            singular: T::KIND.to_ascii_lowercase(),
            short_names: names.0.iter().map(|s| (*s).to_owned()).collect(),
            categories: names.1.iter().map(|s| (*s).to_owned()).collect(),
            namespaced,
            verbs: verbs.to_vec(),
            subresources: subresources.to_vec(),
            schema: None,
            custom: None,
        };
        self.rows.push((kind, T::schema_name().into_owned()));
    }

    fn namespaced<T: ListableResource + JsonSchema>(
        &mut self,
        short: &[&str],
        all: bool,
        subs: &[Subresource],
    ) {
        self.add::<T>(T::LIST_KIND, true, (short, if all { &["all"] } else { &[] }), ALL_VERBS, subs);
    }

    fn cluster<T: ListableResource + JsonSchema>(&mut self, short: &[&str], subs: &[Subresource]) {
        self.add::<T>(T::LIST_KIND, false, (short, &[]), ALL_VERBS, subs);
    }

    /// A question that is posted and answered, never stored.
    fn review<T: Resource + JsonSchema>(&mut self, namespaced: bool) {
        self.add::<T>("", namespaced, (&[], &[]), &["create"], &[]);
    }

    fn fill(&mut self) {
        let pod = [
            STATUS,
            Subresource { name: "log", kind: None, verbs: &["get"] },
            Subresource { name: "exec", kind: Some(("", "v1", "PodExecOptions")), verbs: STREAM },
            Subresource { name: "attach", kind: Some(("", "v1", "PodAttachOptions")), verbs: STREAM },
            Subresource {
                name: "portforward",
                kind: Some(("", "v1", "PodPortForwardOptions")),
                verbs: STREAM,
            },
            Subresource { name: "eviction", kind: Some(("policy", "v1", "Eviction")), verbs: &["create"] },
            Subresource { name: "ephemeralcontainers", kind: None, verbs: &["get", "patch", "update"] },
        ];
        let token = Subresource {
            name: "token",
            kind: Some(("authentication.k8s.io", "v1", "TokenRequest")),
            verbs: &["create"],
        };
        let finalize = Subresource { name: "finalize", kind: None, verbs: &["update"] };
        self.namespaced::<core::v1::ConfigMap>(&["cm"], false, &[]);
        self.namespaced::<core::v1::Endpoints>(&["ep"], false, &[]);
        self.namespaced::<core::v1::Event>(&["ev"], false, &[]);
        self.cluster::<core::v1::Namespace>(&["ns"], &[STATUS, finalize]);
        self.cluster::<core::v1::Node>(&["no"], &[STATUS]);
        self.namespaced::<core::v1::PersistentVolumeClaim>(&["pvc"], false, &[STATUS]);
        self.namespaced::<core::v1::Pod>(&["po"], true, &pod);
        self.namespaced::<core::v1::ResourceQuota>(&["quota"], false, &[STATUS]);
        self.namespaced::<core::v1::LimitRange>(&["limits"], false, &[]);
        self.namespaced::<core::v1::ReplicationController>(&["rc"], true, &[STATUS, SCALE]);
        self.namespaced::<core::v1::Secret>(&[], false, &[]);
        self.namespaced::<core::v1::Service>(&["svc"], true, &[STATUS]);
        self.namespaced::<core::v1::ServiceAccount>(&["sa"], false, &[token]);
        self.namespaced::<apps::v1::DaemonSet>(&["ds"], true, &[STATUS]);
        self.namespaced::<apps::v1::Deployment>(&["deploy"], true, &[STATUS, SCALE]);
        self.namespaced::<apps::v1::ReplicaSet>(&["rs"], true, &[STATUS, SCALE]);
        self.namespaced::<apps::v1::StatefulSet>(&["sts"], true, &[STATUS, SCALE]);
        self.namespaced::<apps::v1::ControllerRevision>(&[], false, &[]);
        self.namespaced::<batch::v1::CronJob>(&["cj"], true, &[STATUS]);
        self.namespaced::<batch::v1::Job>(&[], true, &[STATUS]);
        self.namespaced::<coordination::v1::Lease>(&[], false, &[]);
        self.namespaced::<discovery::v1::EndpointSlice>(&[], false, &[]);
        self.namespaced::<networking::v1::NetworkPolicy>(&["netpol"], false, &[]);
        self.namespaced::<rbac::v1::Role>(&[], false, &[]);
        self.namespaced::<rbac::v1::RoleBinding>(&[], false, &[]);
        self.cluster::<rbac::v1::ClusterRole>(&[], &[]);
        self.cluster::<rbac::v1::ClusterRoleBinding>(&[], &[]);
        self.cluster::<admissionregistration::v1::ValidatingAdmissionPolicy>(&[], &[STATUS]);
        self.cluster::<admissionregistration::v1::ValidatingAdmissionPolicyBinding>(&[], &[]);
        self.cluster::<apiextensions::v1::CustomResourceDefinition>(&["crd", "crds"], &[STATUS]);
        self.review::<authentication::v1::TokenReview>(false);
        self.review::<authentication::v1::SelfSubjectReview>(false);
        self.review::<authorization::v1::SelfSubjectAccessReview>(false);
        self.review::<authorization::v1::SubjectAccessReview>(false);
        self.review::<authorization::v1::LocalSubjectAccessReview>(true);
        self.review::<authorization::v1::SelfSubjectRulesReview>(false);
    }
}
