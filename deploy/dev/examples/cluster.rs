//! Starts the embedded cluster alone, for trying it out with kubectl:
//! `cargo run --example cluster -- DIRECTORY [ADDRESS]`, then `kubectl --kubeconfig DIRECTORY/kubeconfig get ns`.

use std::process::ExitCode;

use sallyport_dev::cluster::{Cluster, ClusterConfig};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == "dev-workload") {
        return sallyport_dev::cluster::workload_main(args.collect());
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot run the cluster");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program for the terminal")]
async fn run() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let mut args = std::env::args().skip(1);
    let dir = std::path::PathBuf::from(args.next().ok_or("give a directory")?);
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:0".to_owned()).parse()?;
    let cluster = Cluster::start(ClusterConfig {
        dir: dir.clone(),
        listen,
        samples: true,
        binary: std::env::current_exe().ok(),
    })
    .await?;
    let kubeconfig = dir.join("kubeconfig");
    std::fs::write(&kubeconfig, cluster.admin_kubeconfig()?)?;
    println!("ready: kubectl --kubeconfig {} get ns", kubeconfig.display());
    tokio::signal::ctrl_c().await?;
    cluster.shutdown().await;
    Ok(())
}
