use sallyport_dev::cluster::{Cluster, ClusterConfig, workload_main};
fn main() -> std::process::ExitCode {
    let mut args = std::env::args_os().skip(1);
    let first = args.next().unwrap_or_default();
    if first == "dev-workload" {
        return workload_main(args.collect());
    }
    let rt = tokio::runtime::Runtime::new().unwrap();
    rt.block_on(async {
        tracing_subscriber_init();
        let dir = std::path::PathBuf::from(&first);
        let cluster = Cluster::start(ClusterConfig {
            dir: dir.clone(),
            listen: "127.0.0.1:0".parse().unwrap(),
            samples: true,
            binary: std::env::current_exe().ok(),
        })
        .await
        .unwrap();
        std::fs::write(dir.join("kubeconfig"), cluster.admin_kubeconfig().unwrap()).unwrap();
        println!("ready {}", cluster.address());
        tokio::signal::ctrl_c().await.unwrap();
        cluster.shutdown().await;
    });
    std::process::ExitCode::SUCCESS
}
fn tracing_subscriber_init() {}
