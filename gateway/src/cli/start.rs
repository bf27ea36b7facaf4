//! Starting long-running commands: logging, the runtime, and a clean stop on Ctrl-C or SIGTERM.

use std::future::Future;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{Demo, fail};
use crate::config::{Config, Log, LogFormat};
use crate::{demo, serve};

pub(super) fn serve(path: &Path, check: bool) -> ExitCode {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return fail(&error),
    };
    if let Err(error) = log(&config.log) {
        return fail(&*error);
    }
    if check {
        return super::print("the configuration is well-formed\n");
    }
    until_told_to_stop(|shutdown| serve::run(config, shutdown))
}

pub(super) fn demo(options: Demo) -> ExitCode {
    // What the gateway's account may do matters in a cluster that somebody relies on.
    let level =
        std::env::var("SALLYPORT_LOG").unwrap_or_else(|_| "warn,sallyport::serve::rights=error".to_owned());
    if let Err(error) = log(&Log { format: LogFormat::Text, level }) {
        return fail(&*error);
    }
    let options = demo::Options {
        dir: options.dir,
        ssh: options.ssh,
        console: options.console,
        kubeconfig: options.kubeconfig,
    };
    until_told_to_stop(|shutdown| demo::run(options, shutdown))
}

fn until_told_to_stop<F, E>(work: impl FnOnce(CancellationToken) -> F) -> ExitCode
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error + 'static,
{
    // Fails only when a provider was installed before, which is then the one that counts.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let told = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            told.cancel();
        });
        work(shutdown).await.map_err(|error| Box::new(error) as Box<dyn std::error::Error>)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

fn log(log: &Log) -> Result<(), Box<dyn std::error::Error>> {
    let filter = EnvFilter::try_new(&log.level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match log.format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
    }
    Ok(())
}
