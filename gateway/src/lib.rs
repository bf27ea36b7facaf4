//! Sallyport: SSH in, the Kubernetes API out, with a grant in between.
//!
//! One module a job, and arrows that only point down (a test in `tests/` holds them):
//!
//! ```text
//! cli · demo · serve                       put the parts together
//! ssh · console · reconcile · notifications  what people and the cluster talk to, and who is told
//!   lobby      the words people type: parsing, help, tables, JSON
//!   commands   the guarded shell, and the guardrail of open ones
//!   bridge     exec, logs, tunnels: needs a permit and, where policy says so, a live recording
//!   access · record                        grants and permits · recordings
//!   codes      sealed one-time codes for when the provider is down
//!   ca · identity                          certificates · OIDC and certificate verification
//!   checks     external checks before an approval: OPA, a ticket system's bridge
//!   outbound   calls to servers that the configuration names
//!   audit · terminal · crd · config · clock  foundations
//! policy (crate)                           pure decisions; knows none of the above
//! ```

pub mod access;
pub mod audit;
pub mod bridge;
pub mod ca;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod codes;
pub mod commands;
pub mod config;
pub mod console;
pub mod crd;
pub mod demo;
pub mod identity;
pub mod lobby;
pub mod notifications;
mod outbound;
pub mod reconcile;
pub mod record;
pub mod serve;
pub mod ssh;
pub mod terminal;
