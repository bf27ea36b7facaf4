//! Audit events: one fact, one JSON object, one line. `docs/events.md` and `docs/schemas/event.schema.json`
//! are the contract; the schema is generated from [`Event`] and a test keeps the two equal.
//!
//! An event is written with one `write` to a file opened for appending, so lines of several gateways on one
//! file do not mix, and a killed process leaves at most one torn last line. Events are not fsynced: a power
//! cut may lose the last few. Secrets have no field here.

mod event;
mod sink;

pub use event::{Event, Kind, Outcome, Person, Place};
pub use sink::{Audit, AuditError};
