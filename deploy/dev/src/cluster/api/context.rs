//! What a verb needs to know beside its object.

use super::request::RequestInfo;
use crate::cluster::auth::User;

/// Who asks, after impersonation, and for what.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) user: User,
    pub(super) info: RequestInfo,
}
