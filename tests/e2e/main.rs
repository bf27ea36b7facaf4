//! The end-to-end cases, each on the embedded cluster (`embedded::…`) and on a real one (`real::…`, where
//! KUBECONFIG names one). A world is started when the first case of it runs; a filter or `--list` starts none.

mod access;
mod admission;
mod browser;
mod certificates;
mod cli;
mod codes;
mod commands;
mod denied;
mod endings;
mod exec;
mod guarded;
mod intime;
mod kill;
mod kubectl;
mod lobby;
mod logs;
mod open;
mod opened;
mod outage;
mod outside;
mod recheck;
mod record;
mod refusals;
mod sets;
mod sharing;
mod shell;
mod signin;
mod tunnels;

use std::sync::{OnceLock, PoisonError};

use libtest_mimic::{Arguments, Trial};
use sallyport_tests::{Kind, World};

/// One case.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    run: fn(&World),
    /// Takes the gateway away: nothing else may run meanwhile.
    alone: bool,
    /// Makes sense on one kind of cluster only.
    only: Option<Kind>,
}

/// Cases by their functions' names.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        vec![$(crate::Case { name: stringify!($name), run: $name, alone: false, only: None }),*]
    };
}
use cases;

fn all() -> Vec<Case> {
    [
        lobby::cases(),
        refusals::cases(),
        access::cases(),
        exec::cases(),
        shell::cases(),
        commands::cases(),
        denied::cases(),
        guarded::cases(),
        sets::cases(),
        open::cases(),
        logs::cases(),
        tunnels::cases(),
        sharing::cases(),
        record::cases(),
        certificates::cases(),
        signin::cases(),
        codes::cases(),
        recheck::cases(),
        kubectl::cases(),
        opened::cases(),
        intime::cases(),
        admission::cases(),
        browser::cases(),
        cli::cases(),
        outage::cases(),
        outside::cases(),
        endings::cases(),
        kill::cases(),
    ]
    .concat()
}

static EMBEDDED: OnceLock<World> = OnceLock::new();
static REAL: OnceLock<World> = OnceLock::new();

const fn world(kind: Kind) -> &'static OnceLock<World> {
    match kind {
        Kind::Embedded => &EMBEDDED,
        Kind::Real => &REAL,
    }
}

fn run(kind: Kind, case: Case) {
    let world = world(kind).get_or_init(|| World::start(kind));
    if case.alone {
        let _alone = world.quiet.write().unwrap_or_else(PoisonError::into_inner);
        (case.run)(world);
    } else {
        let _beside = world.quiet.read().unwrap_or_else(PoisonError::into_inner);
        (case.run)(world);
    }
}

fn main() {
    let mut arguments = Arguments::from_args();
    // Cases wait more than they work; with many more than there are cores it is the machine that is tested.
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    arguments.test_threads.get_or_insert(2 * cores.min(4));
    let real = std::env::var_os("KUBECONFIG").is_some();
    let mut trials = Vec::new();
    for kind in [Kind::Embedded, Kind::Real] {
        for case in all().into_iter().filter(|case| case.only.is_none_or(|only| only == kind)) {
            let trial = Trial::test(format!("{kind}::{}", case.name), move || {
                run(kind, case);
                Ok(())
            });
            trials.push(trial.with_ignored_flag(kind == Kind::Real && !real));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    for kind in [Kind::Embedded, Kind::Real] {
        if let Some(world) = world(kind).get() {
            world.finish();
        }
    }
    conclusion.exit();
}
