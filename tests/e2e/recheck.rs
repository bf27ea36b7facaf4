//! People who leave, at the OpenID provider, while they work.

use sallyport_tests::process::{Finished, Running};
use sallyport_tests::ssh::Ssh;
use sallyport_tests::world::{first_word, real};
use sallyport_tests::{Kind, Place, World, seconds};
use serde_json::json;

use crate::signin::newcomer;
use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        leaving_a_group_at_the_provider_cuts_a_shell_and_leaves_no_binding,
        an_account_that_is_closed_cuts_logs_and_tunnels,
        a_group_that_does_not_matter_may_be_left,
    ];
    let mut alone = cases![a_provider_that_answers_nobody_cuts_nothing];
    // The certified provider introspects; two gateways are one too many for cases beside them.
    let mut introspected = cases![a_sign_in_that_is_taken_back_is_seen_by_introspection];
    introspected.iter_mut().for_each(|case| case.only = Some(Kind::Real));
    alone.extend(introspected);
    alone.iter_mut().for_each(|case| case.alone = true);
    cases.extend(alone);
    cases
}

/// Somebody who exists for one case, signed in by `ssh` with a key of their own.
struct Somebody {
    name: &'static str,
    config: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

impl Somebody {
    fn sign_in(world: &World, name: &'static str, groups: &[&str]) -> Self {
        world.groups_of(name, groups);
        let (dir, key, config) = newcomer(world);
        let somebody = Self { name, config, _dir: dir };
        let signed = real::sign_in(somebody.ssh(), world.idp.as_ref(), name).exits(0);
        std::fs::write(key.with_file_name("id_ed25519-cert.pub"), signed.out).expect("write");
        somebody.ssh().line("whoami").run().exits(0).prints(name);
        somebody
    }

    fn ssh(&self) -> Ssh {
        Ssh::new(self.config.clone(), "prod-gw-new").user(self.name)
    }

    fn ask(&self, place: &Place<'_>) -> Finished {
        self.ssh().line(format!("request {0} -n {0} --for 30m --reason x", place.name)).run()
    }

    fn grant(&self, place: &Place<'_>) -> String {
        first_word(&self.ask(place).exits(0).out)
    }

    fn busy(&self, place: &Place<'_>, command: &str) -> Running {
        let line = format!("exec -n {} box -- sh -c 'echo begun; {command}'", place.name);
        let running = self.ssh().line(line).limit(seconds(120)).start();
        running.expect("begun", seconds(60));
        running
    }
}

/// What is known of a grant that ended because of who its person is not any more.
fn ended(world: &World, place: &Place<'_>, grant: &str, why: &str) {
    place.unbound(grant);
    let status = place.request(grant).expect("the request")["status"].clone();
    assert_eq!(status["cause"], "Groups", "{status}");
    let event = world.event("grant.ended", |e| e["request"] == *grant);
    assert!(event["why"].as_str().is_some_and(|said| said.contains(why)), "{event}");
}

fn leaving_a_group_at_the_provider_cuts_a_shell_and_leaves_no_binding(world: &World) {
    let place = world.place("leaves");
    let dora = Somebody::sign_in(world, "dora", &["oncall"]);
    let grant = dora.grant(&place);
    let mut shell = dora.ssh().line(format!("shell -n {} box", place.name)).terminal();
    shell.send("echo r''eady\r");
    shell.expect("ready", seconds(60));
    // Asked about several times, with renewed tokens, and still there.
    std::thread::sleep(seconds(6));
    shell.send("echo st''ill\r");
    shell.expect("still", seconds(60));
    assert!(place.binding(&grant).is_some());
    world.groups_of("dora", &["dev"]);
    assert_eq!(shell.finish(seconds(120)), 78);
    ended(world, &place, &grant, "none of the policy's groups");
    // The certificate still says `oncall`; the gateway knows better.
    dora.ask(&place).exits(77);
    let place_of = |who: &Somebody| who.ssh().line(format!("exec -n {} box -- true", place.name)).run();
    place_of(&dora).exits(77);
    // A sign-in after the return is the way back.
    world.groups_of("dora", &["oncall"]);
    let dora = Somebody::sign_in(world, "dora", &["oncall"]);
    dora.grant(&place);
    place_of(&dora).exits(0);
}

fn an_account_that_is_closed_cuts_logs_and_tunnels(world: &World) {
    let mut talker = world.pod("talker", "debian", &["sh", "-c", "while :; do echo talk; sleep 1; done"]);
    talker["spec"]["containers"][0]["name"] = json!("main");
    let mut server = world.pod("server", "debian", &["perl", "-e", crate::tunnels::SERVER]);
    server["spec"]["containers"][0]["readinessProbe"] =
        json!({"tcpSocket": {"port": 7000}, "periodSeconds": 1});
    let place = world.plan("closed-account").and(talker).and(server).make(world);
    let emil = Somebody::sign_in(world, "emil", &["oncall"]);
    let grant = emil.grant(&place);
    let command = emil.busy(&place, "sleep 300");
    let logs = emil.ssh().line(format!("logs -n {} talker -f", place.name)).limit(seconds(120)).start();
    logs.expect("talk", seconds(60));
    let mut tunnel = emil.ssh().option("-W").option(format!("server.{}.pod:7000", place.name)).start();
    assert!(tunnel.write(b"echo\nhello\n"));
    tunnel.expect("hello", seconds(60));
    assert!(tunnel.runs());
    world.close_account("emil");
    command.finish(seconds(120)).exits(78);
    tunnel.finish(seconds(120));
    logs.finish(seconds(120)).exits(78);
    ended(world, &place, &grant, "refresh token");
    emil.ask(&place).exits(77);
}

fn a_group_that_does_not_matter_may_be_left(world: &World) {
    let place = world.place("stays");
    let finn = Somebody::sign_in(world, "finn", &["oncall", "choir"]);
    let grant = finn.grant(&place);
    let command = finn.busy(&place, "sleep 8; echo whole");
    world.groups_of("finn", &["oncall"]);
    command.finish(seconds(120)).exits(0).prints("whole");
    assert!(place.binding(&grant).is_some());
}

fn a_provider_that_answers_nobody_cuts_nothing(world: &World) {
    let place = world.place("silent");
    let greta = Somebody::sign_in(world, "greta", &["oncall"]);
    let grant = greta.grant(&place);
    let command = greta.busy(&place, "sleep 300");
    world.silence_provider(true);
    // It is said, and nothing ends, although she is in no group any more.
    std::thread::sleep(seconds(10));
    assert!(place.binding(&grant).is_some());
    greta.ssh().line(format!("exec -n {} box -- true", place.name)).run().exits(0);
    world.silence_provider(false);
    std::thread::sleep(seconds(6));
    greta.ssh().line(format!("exec -n {} box -- true", place.name)).run().exits(0);
    // It is asked again, and what it says then counts.
    world.groups_of("greta", &[]);
    command.finish(seconds(120)).exits(78);
    ended(world, &place, &grant, "none of the policy's groups");
}

fn a_sign_in_that_is_taken_back_is_seen_by_introspection(world: &World) {
    let Some(idp) = &world.idp else { return };
    let place = world.place("taken");
    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(secret.path(), "for tests only").expect("write");
    let file = secret.path().display().to_string();
    let second = world.second(|config| {
        let client = format!(
            "clientId: sallyport-confidential\n  clientSecretFile: {file}\n  recheck: 1s\n  offlineAccess: false"
        );
        config.replace("clientId: sallyport", &client)
    });
    world.groups_of("hanna", &["oncall"]);
    let (_dir, key, config) = newcomer(world);
    let ssh = || second.at(Ssh::new(config.clone(), "prod-gw-new").user("hanna"));
    let signed = real::sign_in(ssh(), Some(idp), "hanna").exits(0);
    std::fs::write(key.with_file_name("id_ed25519-cert.pub"), signed.out).expect("write");
    let asked = ssh().line(format!("request {0} -n {0} --for 30m --reason x", place.name)).run().exits(0);
    let grant = first_word(&asked.out);
    let line = format!("exec -n {} box -- sh -c 'echo begun; sleep 300'", place.name);
    let command = ssh().line(line).limit(seconds(120)).start();
    command.expect("begun", seconds(60));
    // There is no refresh token: what says active now is what may say inactive later.
    std::thread::sleep(seconds(4));
    assert!(place.binding(&grant).is_some(), "{}", second.log());
    idp.tell("revoke hanna", "done");
    command.finish(seconds(120)).exits(78);
    place.unbound(&grant);
    let event = sallyport_tests::events::wait(&second.events, "grant.ended", |e| e["request"] == *grant);
    assert!(event["why"].as_str().is_some_and(|why| why.contains("no longer active")), "{event}");
}
