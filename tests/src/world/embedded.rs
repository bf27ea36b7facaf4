//! The embedded world: `sallyport demo` in a directory of its own.

use std::path::Path;
use std::process::Command;

use super::{Kind, World, binary, directory, free_port, now};
use crate::apiserver::ApiServer;
use crate::process::Running;
use crate::seconds;

pub(super) fn start() -> World {
    let (temporary, dir, tag) = directory();
    let started = now();
    std::fs::write(dir.join("test.addresses"), format!("{} {}", free_port(), free_port())).expect("write");
    let running = gateway(&dir);
    let kubeconfig = dir.join("kubeconfig");
    let text = std::fs::read_to_string(&kubeconfig).expect("the demo writes a kubeconfig");
    World {
        kind: Kind::Embedded,
        api: ApiServer::new(&text),
        kubeconfig,
        audit_log: Some(dir.join("cluster/audit.jsonl")),
        idp: None,
        half_close: true,
        dir,
        quiet: Default::default(),
        gateway: Some(running).into(),
        shared: Default::default(),
        names: Default::default(),
        tag,
        started,
        _temporary: temporary,
    }
}

/// Starts the demo and waits until it is ready. Ports stay the same from one start to the next.
pub(super) fn gateway(dir: &Path) -> Running {
    let addresses =
        std::fs::read_to_string(dir.join("test.addresses")).expect("the ports of the first start");
    let (ssh, console) = addresses.split_once(' ').expect("two addresses");
    let mut demo = Command::new(binary());
    demo.arg("demo").arg("--dir").arg(dir).args(["--ssh", ssh, "--console", console]);
    let running = Running::start(&mut demo);
    running.expect("\nready", seconds(180));
    running
}
