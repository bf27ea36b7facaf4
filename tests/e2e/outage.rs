//! The API server out of reach or slow, seen from a second gateway whose way to it can be cut.

use sallyport_tests::proxy::Mode;
use sallyport_tests::{World, seconds, until};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        an_api_server_that_is_down_gives_69,
        an_api_server_that_hangs_gives_69,
        a_session_ends_when_its_grant_cannot_be_read_any_more,
        an_oidc_provider_that_is_down_costs_only_sign_ins,
    ];
    // Two gateways share the work of the reconciler, and each writes the events of what it did itself: cases that
    // wait for an event must not run meanwhile.
    cases.iter_mut().for_each(|case| case.alone = true);
    cases
}

fn an_api_server_that_is_down_gives_69(world: &World) {
    let place = world.place("down");
    place.grant("30m");
    let second = world.second(|config| config);
    let exec = format!("exec -n {} box -- true", place.name);
    until("the second gateway works", seconds(120), || {
        (second.ssh("prod-gw").line(&exec).run().code == 0).then_some(())
    });
    second.proxy.set(Mode::Down);
    for line in [
        exec.clone(),
        format!("logs -n {} box", place.name),
        format!("pods -n {}", place.name),
        format!("request {0} -n {0} --for 5m --reason x", place.name),
    ] {
        let answer = second.ssh("prod-gw").line(&line).run().exits(69);
        assert_eq!(answer.err.trim().lines().count(), 1, "`{line}`\n{}", answer.show());
    }
    second.ssh("prod-gw").line("whoami").run().exits(0).prints("alice");
    second.ssh("prod-gw").line("help").run().exits(0);
    second.proxy.set(Mode::Open);
    until("it works again", seconds(120), || {
        (second.ssh("prod-gw").line(&exec).run().code == 0).then_some(())
    });
}

fn an_api_server_that_hangs_gives_69(world: &World) {
    let place = world.place("api-hangs");
    place.grant("30m");
    let second = world.second(|config| config);
    let exec = format!("exec -n {} box -- true", place.name);
    until("the second gateway works", seconds(120), || {
        (second.ssh("prod-gw").line(&exec).run().code == 0).then_some(())
    });
    second.proxy.set(Mode::Stalled);
    let waiting = second.ssh("prod-gw").line(&exec).limit(seconds(120)).start();
    second.ssh("prod-gw").line("whoami").run().exits(0);
    waiting.finish(seconds(120)).exits(69);
    second.proxy.set(Mode::Open);
    until("it works again", seconds(120), || {
        (second.ssh("prod-gw").line(&exec).run().code == 0).then_some(())
    });
}

fn a_session_ends_when_its_grant_cannot_be_read_any_more(world: &World) {
    let place = world.place("unreadable");
    place.grant("30m");
    let second = world.second(|config| config);
    let line = format!("exec -n {} box -- sh -c 'echo begun; sleep 300'", place.name);
    let running = second.ssh("prod-gw").line(line).start();
    running.expect("begun", seconds(120));
    second.proxy.set(Mode::Down);
    let ended = running.finish(seconds(120));
    assert!([69, 78].contains(&ended.code) && !ended.err.trim().is_empty(), "{}", ended.show());
}

fn an_oidc_provider_that_is_down_costs_only_sign_ins(world: &World) {
    let second = world.second(|config| {
        let ours = |line: &str| line.trim_start().starts_with("issuer:");
        config
            .lines()
            .map(|l| if ours(l) { "  issuer: https://127.0.0.1:9" } else { l })
            .fold(String::new(), |all, l| all + l + "\n")
    });
    second.ssh("prod-gw").line("whoami").run().exits(0);
    let answer = second.ssh("prod-gw-new").line("login").limit(seconds(120)).run();
    assert!(answer.code != 0 && answer.out.is_empty() && !answer.err.trim().is_empty(), "{}", answer.show());
}
