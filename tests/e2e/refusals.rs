//! Without a grant nothing opens: every SSH request type and every command that touches the cluster.

use sallyport_tests::{Place, World, seconds, until};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        commands_are_refused_without_a_grant,
        a_shell_is_refused_without_a_grant,
        targets_in_the_user_name_are_refused_without_a_grant,
        tunnels_are_refused_without_a_grant,
        other_ssh_requests_are_refused,
        a_grant_opens_only_what_its_policy_allows,
        a_grant_opens_only_pods_that_its_selector_matches,
        somebody_elses_grant_opens_nothing,
        where_no_policy_fits_the_refusal_says_so,
    ]
}

fn commands_are_refused_without_a_grant(world: &World) {
    let closed = world.place("closed");
    let ns = &closed.name;
    for command in [
        format!("exec -n {ns} box -- true"),
        format!("exec -n {ns} deploy/nothing -- true"),
        format!("logs -n {ns} box"),
        format!("logs -n {ns} box -f --previous"),
        format!("shell -n {ns} box"),
        format!("pods -n {ns}"),
    ] {
        refused(&closed, &command);
    }
    world.event("access.refused", |e| {
        e["place"]["namespace"] == **ns && e["action"] == "exec" && e["person"]["username"] == "alice"
    });
}

/// Exit status 77, and one line that names the policy and the line to type, which works as it stands.
#[track_caller]
fn refused(closed: &Place<'_>, command: &str) {
    let world = closed.world();
    let answer = world.alice().line(command).run().exits(77).says(&closed.name);
    assert!(answer.out.is_empty(), "`{command}`\n{}", answer.show());
    assert_eq!(answer.err.trim().lines().count(), 1, "`{command}`: one line\n{}", answer.show());
    let ask = format!("request {} -n {}", closed.name, closed.name);
    assert!(answer.err.contains(&ask), "`{command}`: no `{ask}`\n{}", answer.show());
}

fn a_shell_is_refused_without_a_grant(world: &World) {
    let closed = world.place("closed-shell");
    let mut terminal = world.alice().line(format!("shell -n {} box", closed.name)).terminal();
    terminal.expect(&closed.name, seconds(60));
    assert_eq!(terminal.finish(seconds(60)), 77);
    let terminal = world.alice().line(format!("exec -n {} box -- sh", closed.name)).terminal();
    assert_eq!(terminal.finish(seconds(60)), 77);
}

fn targets_in_the_user_name_are_refused_without_a_grant(world: &World) {
    let closed = world.place("closed-user");
    let target = format!("box.{}", closed.name);
    world.alice().user(&target).line("true").run().exits(77).says(&closed.name);
    world.alice().user(&target).run().exits(77).says(&closed.name);
    world.alice().user(format!("{target}+main")).line("true").run().exits(77);
    assert_eq!(world.alice().user(&target).terminal().finish(seconds(60)), 77);
}

fn tunnels_are_refused_without_a_grant(world: &World) {
    let closed = world.place("closed-tunnel");
    for to in [
        format!("box.{}.pod:8080", closed.name),
        format!("box.{}.svc:80", closed.name),
        format!("box.{}.svc.cluster.local:80", closed.name),
    ] {
        let answer = world.alice().option("-W").option(&to).run().exits(255);
        assert!(answer.err.contains("administratively prohibited"), "{to}\n{}", answer.show());
    }
    world.event("access.refused", |e| e["action"] == "forward" && e["place"]["namespace"] == *closed.name);
}

fn other_ssh_requests_are_refused(world: &World) {
    world.shared_grant();
    // Listening on the gateway, and sockets of the gateway itself.
    let listen =
        world.alice().option("-N").option("-R").option("0:127.0.0.1:1").o("ExitOnForwardFailure=yes").run();
    assert_eq!(listen.code, 255, "{}", listen.show());
    let socket = world
        .alice()
        .option("-N")
        .option("-R")
        .option("/tmp/never:127.0.0.1:1")
        .o("ExitOnForwardFailure=yes")
        .run();
    assert_eq!(socket.code, 255, "{}", socket.show());
    for to in [
        "127.0.0.1:22",
        "localhost:6443",
        "10.97.0.1:443",
        "example.com:80",
        "169.254.169.254:80",
        "postgres:5432",
        "postgres.payments:5432",
    ] {
        let answer = world.alice().option("-W").option(to).run();
        assert!(answer.code == 255 && answer.err.contains("open failed"), "{to}\n{}", answer.show());
    }
    // Subsystems are for a later storey, and say so rather than hang.
    let sftp = world.alice().option("-s").line("sftp").run();
    assert!(sftp.code != 0, "{}", sftp.show());
    let nonsense = world.alice().option("-s").line("no-such-subsystem").run();
    assert!(nonsense.code != 0, "{}", nonsense.show());
    // The environment of the client goes nowhere.
    let env = world
        .alice()
        .o("SetEnv=LD_PRELOAD=/tmp/x SALLYPORT_X=1")
        .line("exec -n payments deploy/api -- env")
        .run()
        .exits(0);
    assert!(!env.out.contains("SALLYPORT_X") && !env.out.contains("LD_PRELOAD"), "{}", env.show());
}

fn a_grant_opens_only_what_its_policy_allows(world: &World) {
    let allow = serde_json::json!({"logs": true, "forward": {"ports": [7001, "8000-8009"]}});
    let narrow = world.plan("narrow").with("allow", allow).make(world);
    let grant = narrow.grant("10m");
    let ns = &narrow.name;
    // A pod is ready a moment before its program says anything.
    until("the pod's log", seconds(60), || {
        let log = world.alice().line(format!("logs -n {ns} box --tail 1")).run().exits(0);
        log.out.contains("started").then_some(())
    });
    narrow.exec("true").exits(77);
    world.alice().line(format!("shell -n {ns} box")).run().exits(77);
    for (port, rule) in [
        (7000, "administratively prohibited"),
        (8010, "administratively prohibited"),
        (8009, "connect failed"),
        (7001, "connect failed"),
    ] {
        let answer = world.alice().option("-W").option(format!("box.{ns}.pod:{port}")).run();
        assert!(answer.code == 255 && answer.err.contains(rule), "port {port}: {grant}\n{}", answer.show());
    }
    // Another namespace is another matter.
    let other = world.place("narrow-other");
    other.exec("true").exits(77);
}

fn a_grant_opens_only_pods_that_its_selector_matches(world: &World) {
    let only = serde_json::json!({"matchLabels": {"app": "box"}});
    let other = world.pod("other", "debian", &["sleep", "1000000"]);
    let picked = world.plan("picked").with("podSelector", only).and(other).make(world);
    picked.grant("10m");
    picked.exec("true").exits(0);
    let ns = &picked.name;
    world.alice().line(format!("exec -n {ns} other -- true")).run().exits(77);
    world.alice().line(format!("logs -n {ns} other")).run().exits(77);
    let tunnel = world.alice().option("-W").option(format!("other.{ns}.pod:7000")).run().exits(255);
    assert!(tunnel.err.contains("administratively prohibited"), "{}", tunnel.show());
    let pods = world.alice().line(format!("pods -n {ns}")).run().exits(0).prints("box");
    assert!(!pods.out.contains("other"), "{}", pods.show());
}

fn somebody_elses_grant_opens_nothing(world: &World) {
    let place = world.place("alices");
    place.grant("10m");
    place.exec("true").exits(0);
    for person in [world.bob(), world.sam()] {
        person.line(format!("exec -n {} box -- true", place.name)).run().exits(77);
    }
}

fn where_no_policy_fits_the_refusal_says_so(world: &World) {
    let bare = world.plan("bare").without_policy().make(world);
    let answer = bare.exec("true").exits(77);
    assert_eq!(answer.err.trim().lines().count(), 1, "{}", answer.show());
    // A namespace that is not there looks the same as one without a policy.
    world.alice().line("exec -n no-such-namespace box -- true").run().exits(77);
}
