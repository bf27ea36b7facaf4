//! Logs, with kubectl's flags.

use sallyport_tests::{World, seconds, until};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        logs_are_printed,
        logs_follow_until_the_person_leaves,
        logs_can_be_limited,
        logs_of_the_run_before,
        logs_of_one_container,
    ]
}

fn logs_are_printed(world: &World) {
    world.shared_grant();
    // It may have been started a moment ago.
    until("its first line", seconds(60), || {
        let logs = world.alice().line("logs -n payments logger").run().exits(0);
        logs.out.lines().any(|line| line == "line 1").then_some(())
    });
    world.alice().line("logs -n payments pod/logger --tail 1").run().exits(0);
}

fn logs_follow_until_the_person_leaves(world: &World) {
    world.shared_grant();
    for line in ["logs -n payments logger -f --tail 1", "logs -f -n payments --tail=1 logger"] {
        let following = world.alice().line(line).start();
        until("three more lines", seconds(60), || (following.out.text().lines().count() >= 4).then_some(()));
        following.signal("TERM");
        following.finish(seconds(60));
    }
    // A follower of something that ends, ends.
    world.alice().line("logs -n payments job/migrate -f").run().exits(0).prints("migrated");
}

fn logs_can_be_limited(world: &World) {
    world.shared_grant();
    until("five lines", seconds(60), || {
        (world.alice().line("logs -n payments logger").run().out.lines().count() > 5).then_some(())
    });
    // One that is written while the log is read is behind the last ones that were asked for.
    let tail =
        |lines: usize| world.alice().line(format!("logs -n payments logger --tail {lines}")).run().exits(0);
    for lines in [3, 0] {
        let enough = || (tail(lines).out.lines().count() == lines).then_some(());
        until(&format!("{lines} lines and no more"), seconds(60), enough);
    }
    // As many lines as there are seconds, on a machine that has time for it: what counts is that no older one comes.
    let moments = |logs: &str| -> Vec<jiff::Timestamp> {
        let moment = |line: &str| line.split(' ').next().unwrap_or_default().parse().expect("a time");
        logs.lines().map(moment).collect()
    };
    until("recent lines, and older ones that are left out", seconds(60), || {
        let asked = world.now() - seconds(3 + 1);
        let recent = world.alice().line("logs -n payments logger --timestamps --since 3s").run().exits(0);
        assert!(moments(&recent.out).iter().all(|moment| *moment >= asked), "{asked}\n{}", recent.show());
        let all = world.alice().line("logs -n payments logger --timestamps").run().exits(0);
        let older = moments(&all.out).first().is_some_and(|first| *first < asked);
        (older && !recent.out.is_empty()).then_some(())
    });
    let stamped = world.alice().line("logs -n payments logger --timestamps --tail 2").run().exits(0);
    for line in stamped.out.lines() {
        let (time, _) = line.split_once(' ').expect("a time and a line");
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{line}");
    }
}

fn logs_of_the_run_before(world: &World) {
    world.shared_grant();
    until("broken was started again", seconds(60), || {
        let pod = world.api.get("/api/v1/namespaces/payments/pods/broken")?;
        pod["status"]["containerStatuses"][0]["restartCount"].as_u64().filter(|n| *n > 0)
    });
    // In the moment of a restart, a kubelet answers that it cannot retrieve the log.
    until("the log of the run before is there", seconds(60), || {
        let log = world.alice().line("logs -n payments broken --previous").run().exits(0);
        log.out.contains("cannot go on").then_some(())
    });
    world.alice().line("logs -n payments logger --previous").run().exits(64);
}

fn logs_of_one_container(world: &World) {
    world.shared_grant();
    world.alice().line("logs -n payments multi -c sidecar --tail 5").run().exits(0);
    world.alice().line("logs -n payments multi -c web").run().exits(0);
}
