//! Job to pods: until enough of them succeeded or too many failed. A failed pod is replaced at once; its
//! container's own back-off is all there is.

use serde_json::{Map, Value, json};

use super::common::{
    condition, create, delete, is_active, is_ready, number, owned, owner_reference, pod, report, suffix,
};
use crate::cluster::store::{JOBS, PODS, Store, object};
use crate::cluster::time;

/// Looks at every Job.
pub(super) fn all(store: &Store) {
    for job in store.list(&JOBS, None).0 {
        let over = job.pointer("/status/conditions").and_then(Value::as_array).is_some_and(|all| {
            all.iter()
                .any(|one| matches!(one.get("type").and_then(Value::as_str), Some("Complete" | "Failed")))
        });
        let suspended = job.pointer("/spec/suspend") == Some(&Value::Bool(true));
        if !over && !suspended && !object::is_terminating(&job) {
            one(store, &job);
        }
    }
}

fn one(store: &Store, job: &Value) {
    let Some(template) = job.pointer("/spec/template") else { return };
    let pods = owned(store, &PODS, job);
    let ended = |phase: &str| {
        let these = pods.iter().filter(|pod| pod.pointer("/status/phase") == Some(&json!(phase)));
        i64::try_from(these.count()).unwrap_or(i64::MAX)
    };
    let (succeeded, failed) = (ended("Succeeded"), ended("Failed"));
    let active: Vec<_> = pods.iter().filter(|pod| is_active(pod)).collect();
    let running = i64::try_from(active.len()).unwrap_or(i64::MAX);
    let wanted = number(job, "/spec/completions", 1).max(0);
    let now = time::seconds(time::now());
    let start = job.pointer("/status/startTime").cloned().unwrap_or_else(|| json!(now));
    let mut status = json!({
        "startTime": start, "succeeded": succeeded, "failed": failed, "active": running,
        "ready": active.iter().filter(|pod| is_ready(pod)).count(),
    });
    let failures = number(job, "/spec/backoffLimit", 6).max(0);
    let end = if succeeded >= wanted {
        Some(vec![
            condition(
                job,
                "SuccessCriteriaMet",
                true,
                "CompletionsReached",
                "Reached expected number of succeeded pods",
            ),
            condition(
                job,
                "Complete",
                true,
                "CompletionsReached",
                "Reached expected number of succeeded pods",
            ),
        ])
    } else if failed > failures {
        let message = "Job has reached the specified backoff limit";
        Some(vec![
            condition(job, "FailureTarget", true, "BackoffLimitExceeded", message),
            condition(job, "Failed", true, "BackoffLimitExceeded", message),
        ])
    } else {
        None
    };
    match (end, status.as_object_mut()) {
        (Some(conditions), Some(status)) => {
            active.iter().for_each(|pod| delete(store, &PODS, pod));
            status.insert("active".into(), 0.into());
            status.insert("conditions".into(), conditions.into());
            if succeeded >= wanted {
                status.insert("completionTime".into(), now.into());
            }
        }
        _ => {
            let most = number(job, "/spec/parallelism", 1).clamp(0, 50);
            for _ in running..most.min(wanted - succeeded) {
                let labels = ["batch.kubernetes.io/controller-uid", "controller-uid"]
                    .map(|key| (key.to_owned(), json!(object::uid(job))))
                    .into_iter()
                    .chain(
                        ["batch.kubernetes.io/job-name", "job-name"]
                            .map(|key| (key.to_owned(), json!(object::name(job)))),
                    );
                let owner = owner_reference(job, "batch/v1", "Job");
                let name = format!("{}-{}", object::name(job), suffix());
                create(
                    store,
                    &PODS,
                    pod(template, object::namespace(job), &name, owner, Map::from_iter(labels)),
                );
            }
        }
    }
    report(store, &JOBS, job, status);
}
