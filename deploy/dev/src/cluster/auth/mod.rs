//! Who is asking: bearer tokens, ServiceAccount tokens and impersonation.

pub(crate) mod impersonate;
pub(crate) mod serviceaccount;
pub(crate) mod tokens;
pub(crate) mod user;

pub(crate) use self::user::User;
