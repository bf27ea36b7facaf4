//! The embedded cluster: an API server over a store, controllers, and one node whose pods are local processes.
//!
//! It behaves as Kubernetes does where the end-to-end cases look, and its clients are the ordinary ones. It is
//! no place for anything that matters: pods share the machine with everything else that its user runs.

pub mod controllers;
pub mod kubelet;
pub mod status;
pub mod store;
pub mod streaming;
pub mod time;
pub mod workloads;

pub use workloads::workload_main;
