//! Several sessions over one connection: none may freeze another, and memory stays bounded.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use sallyport_tests::process::Running;
use sallyport_tests::ssh::Ssh;
use sallyport_tests::{World, seconds, until};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        sessions_share_a_connection,
        a_person_who_does_not_read_freezes_nobody,
        a_pod_that_does_not_read_freezes_nobody,
    ]
}

/// A shared connection, and the option that uses it.
struct Shared {
    _master: Running,
    socket: String,
}

impl Shared {
    fn open(world: &World) -> Self {
        world.shared_grant();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // A socket's path is short: the world's directory may not be.
        let socket =
            format!("/tmp/sallyport-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let master = world.alice().option("-M").option("-N").option("-S").option(&socket).start();
        until("the shared connection", seconds(60), || std::path::Path::new(&socket).exists().then_some(()));
        Self { _master: master, socket }
    }

    fn ssh(&self, world: &World) -> Ssh {
        world.alice().option("-S").option(&self.socket).o("ControlMaster=no")
    }

    /// Other sessions of the same connection answer while one stands still, which it does for longer than they may take.
    fn works(&self, world: &World) {
        for n in 0..5 {
            let said = self
                .ssh(world)
                .line(format!("exec -n payments deploy/api -- echo {n}"))
                .limit(seconds(45))
                .run()
                .exits(0);
            assert_eq!(said.out.trim(), n.to_string());
        }
    }
}

fn sessions_share_a_connection(world: &World) {
    let shared = Shared::open(world);
    shared.works(world);
    let many: Vec<_> = (0..8)
        .map(|n| {
            shared
                .ssh(world)
                .line(format!("exec -n payments deploy/api -- sh -c 'sleep 1; exit {n}'"))
                .start()
        })
        .collect();
    for (n, running) in (0..).zip(many) {
        running.finish(seconds(60)).exits(n);
    }
}

fn a_person_who_does_not_read_freezes_nobody(world: &World) {
    let shared = Shared::open(world);
    let mut frozen = Command::new("ssh");
    frozen.args(["-F", &world.dir.join("ssh_config").display().to_string(), "-S", &shared.socket, "prod-gw"]);
    frozen
        .arg("exec -n payments deploy/api -- cat /dev/zero")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut frozen = frozen.spawn().expect("ssh");
    std::thread::sleep(seconds(3));
    shared.works(world);
    let memory = world.gateway_memory();
    assert!(memory < 400 << 20, "the gateway holds {} MiB", memory >> 20);
    let _ = frozen.kill();
    let _ = frozen.wait();
    shared.works(world);
}

fn a_pod_that_does_not_read_freezes_nobody(world: &World) {
    let shared = Shared::open(world);
    let mut flood =
        shared.ssh(world).line("exec -n payments deploy/api -- sh -c 'echo begun; sleep 600'").start();
    flood.expect("begun", seconds(60));
    let mut input = flood.take_input().expect("its standard input");
    std::thread::spawn(move || {
        use std::io::Write;
        let zeros = vec![0; 1 << 20];
        for _ in 0..512 {
            if input.write_all(&zeros).is_err() {
                return;
            }
        }
    });
    std::thread::sleep(seconds(3));
    shared.works(world);
    let memory = world.gateway_memory();
    assert!(memory < 400 << 20, "the gateway holds {} MiB", memory >> 20);
}
