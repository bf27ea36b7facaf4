//! `sallyport lock`, `unlock` and `locks`: shut somebody, some place or everything out with a kubeconfig, also when the
//! gateway does not run. `ssh GATEWAY lock …` does the same for the groups that the configuration names.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args};
use sallyport_policy::{Namespace, PodName, duration};

use super::policy::Output;
use crate::access::{LockAsk, LockSubject, Operator, OperatorError};
use crate::clock::SystemClock;
use crate::lobby::{Paper, Reply, lock_table, locked, unlocked};

/// Which cluster.
#[derive(Debug, Args)]
pub(super) struct Cluster {
    /// The kubeconfig [default: KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Its context [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Whom or what to shut out.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["person", "namespace", "everything"]))]
pub(super) struct Lock {
    /// Somebody, by username
    #[arg(long, value_name = "USERNAME")]
    person: Option<String>,
    /// Everybody from a namespace
    #[arg(short, long, value_parser = Namespace::parse)]
    namespace: Option<Namespace>,
    /// Only from this pod of the namespace
    #[arg(requires = "namespace", value_name = "POD", value_parser = PodName::parse)]
    pod: Option<PodName>,
    /// Everybody, everywhere
    #[arg(long, conflicts_with = "pod")]
    everything: bool,
    /// For how long, as in 1h30m; without it until it is lifted
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    length: Option<Duration>,
    /// Why; those who are shut out are shown it
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    cluster: Cluster,
}

/// Which lock to lift.
#[derive(Debug, Args)]
pub(super) struct Unlock {
    /// Its name; `sallyport locks` lists them
    name: String,
    #[command(flatten)]
    cluster: Cluster,
}

impl Lock {
    pub(super) fn run(self) -> ExitCode {
        let subject = match (self.person, self.namespace) {
            (Some(person), _) => LockSubject::Person(person),
            (None, Some(namespace)) => LockSubject::Target { namespace, pod: self.pod },
            (None, None) => LockSubject::Everything,
        };
        let ask = LockAsk { subject, reason: Some(self.reason), until: None };
        let (length, output) = (self.length, self.cluster.output);
        self.cluster.ask(async |operator| {
            let lock = operator.lock(ask, length).await?;
            Ok(match output {
                Output::Json => Reply::json(&lock),
                Output::Text => locked(&lock, "sallyport"),
            })
        })
    }
}

impl Unlock {
    pub(super) fn run(self) -> ExitCode {
        let output = self.cluster.output;
        self.cluster.ask(async |operator| {
            let lock = operator.unlock(&self.name).await?;
            Ok(match output {
                Output::Json => Reply::json(&lock),
                Output::Text => unlocked(&lock),
            })
        })
    }
}

impl Cluster {
    /// All locks.
    pub(super) fn list(self) -> ExitCode {
        let output = self.output;
        self.ask(async |operator| {
            let locks = operator.locks().await?;
            Ok(match output {
                Output::Json => Reply::json(&locks),
                Output::Text => lock_table(Paper::default(), &locks),
            })
        })
    }

    fn ask(self, question: impl AsyncFnOnce(&Operator) -> Result<Reply, OperatorError>) -> ExitCode {
        // Fails only when a provider was installed before, which is then the one that counts.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return super::fail(&error),
        };
        let answer = runtime.block_on(async {
            question(&Operator::new(self.kubeconfig, self.context, Arc::new(SystemClock)).await?).await
        });
        match answer {
            Ok(reply) => {
                let _ = io::stderr().lock().write_all(reply.stderr.as_bytes());
                super::print(&reply.stdout)
            }
            Err(error) => super::fail(&error),
        }
    }
}
