//! What the gateway's own account may do beyond what it should, said at the start (decision 0050). A warning, not a
//! refusal: on clusters without constrained impersonation there is no narrower right that works.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};

/// Warns when the account may impersonate the group that may do anything. Silent when the cluster does not say.
pub(super) async fn warn_about(client: &kube::Client) {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some("impersonate".to_owned()),
                resource: Some("groups".to_owned()),
                name: Some("system:masters".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    match reviews.create(&PostParams::default(), &review).await {
        Ok(answer) if answer.status.as_ref().is_some_and(|status| status.allowed) => tracing::warn!(
            "this gateway's account may impersonate `system:masters`, as everybody's who may impersonate groups \
             without names: the gateway refuses to, but whoever takes it over need not; see docs/decisions/0050"
        ),
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, "cannot ask what this account may impersonate"),
    }
}
