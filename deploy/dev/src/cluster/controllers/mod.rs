//! Deployments, ReplicaSets, StatefulSets, Jobs, Endpoints and the scheduler.
