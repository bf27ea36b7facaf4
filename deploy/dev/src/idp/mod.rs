//! The embedded OIDC provider.
