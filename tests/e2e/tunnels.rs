//! Tunnels to pods and Services, by `-W` and `-L`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use sallyport_tests::process::Running;
use sallyport_tests::{Place, World, seconds, until};
use serde_json::json;

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_tunnel_reaches_a_pod,
        a_tunnel_reaches_a_service,
        a_port_where_nobody_listens_is_told_apart,
        unknown_names_and_ports_are_refused,
        many_connections_at_once,
        half_close_is_kept_where_the_server_can,
        sixty_four_mebibytes_arrive_intact,
        a_connection_closed_by_the_pod_ends,
        tunnels_have_events,
    ]
}

/// A TCP server for tests. The first line says what it does: `echo`, `give N` (N bytes of a pattern), `take N` (the
/// sum of N bytes), `count` (the number of bytes up to the end of input), `close`.
pub(crate) const SERVER: &str = r#"
use IO::Socket::INET; $SIG{CHLD} = 'IGNORE'; $SIG{TERM} = sub { exit 0 };
my $l = IO::Socket::INET->new(LocalAddr => $ENV{LISTEN}, LocalPort => 7000, Listen => 128, ReuseAddr => 1) or die "listen: $!";
while (1) {
  my $c = $l->accept or next; next if fork; binmode $c; $SIG{TERM} = 'DEFAULT';
  my ($first, $b) = (''); while (sysread($c, $b, 1)) { last if $b eq "\n"; $first .= $b }
  my ($what, $n) = split / /, $first;
  sub out { my ($c, $d) = @_; while (length $d) { my $w = syswrite($c, $d); exit 1 unless defined $w; substr($d, 0, $w, '') } }
  if ($what eq 'echo') { while (sysread($c, my $d, 65536)) { out($c, $d) } }
  elsif ($what eq 'give') { my $p = join('', map { chr } 0..250) x 261; while ($n > 0) { my $d = substr($p, 0, $n); $n -= length $d; out($c, $d) } }
  elsif ($what eq 'take') { my $s = 0; while ($n > 0 and my $r = sysread($c, my $d, 65536)) { $n -= $r; $s = ($s + unpack('%32C*', $d)) % 4294967296 } out($c, "$s\n") }
  elsif ($what eq 'count') { my $s = 0; while (my $r = sysread($c, my $d, 65536)) { $s += $r } out($c, "$s\n") }
  exit 0;
}"#;

fn server<'w>(world: &'w World, name: &str) -> Place<'w> {
    let mut pod = world.pod("server", "debian", &["perl", "-e", SERVER]);
    pod["spec"]["containers"][0]["ports"] = json!([{"name": "main", "containerPort": 7000}]);
    pod["spec"]["containers"][0]["readinessProbe"] = json!({"tcpSocket": {"port": 7000}, "periodSeconds": 1});
    let place = world.plan(name).and(pod).make(world);
    for (service, target) in [("named", json!("main")), ("numbered", json!(7000)), ("nobody", json!(7999))] {
        world.api.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": service, "namespace": place.name},
            "spec": {"selector": {"app": "server"}, "ports": [{"name": "test", "port": 80, "targetPort": target}]},
        }));
    }
    place.grant("30m");
    place
}

/// Sends `input` through `ssh -W to` and returns what comes back.
fn through(world: &World, to: &str, input: &str, expected: &str) {
    let mut running = world.alice().option("-W").option(to).start();
    assert!(running.write(input.as_bytes()));
    running.expect(expected, seconds(60));
    running.end_input();
}

fn a_tunnel_reaches_a_pod(world: &World) {
    let place = server(world, "tunnel-pod");
    through(world, &format!("server.{}.pod:7000", place.name), "echo\nhello tunnel\n", "hello tunnel\n");
    through(world, &format!("server.{}.pod.cluster.local:7000", place.name), "echo\nagain\n", "again\n");
}

fn a_tunnel_reaches_a_service(world: &World) {
    let place = server(world, "tunnel-svc");
    for service in ["named", "numbered"] {
        for tail in ["svc", "svc.cluster.local"] {
            through(
                world,
                &format!("{service}.{}.{tail}:80", place.name),
                "echo\nhello service\n",
                "hello service\n",
            );
        }
    }
    world.shared_grant();
    let api = world.alice().option("-W").option("api.payments.svc:80").start();
    drop(api);
}

fn a_port_where_nobody_listens_is_told_apart(world: &World) {
    let place = server(world, "tunnel-closed");
    for to in [format!("server.{}.pod:7998", place.name), format!("nobody.{}.svc:80", place.name)] {
        let answer = world.alice().option("-W").option(&to).run().exits(255);
        assert!(answer.err.contains("connect failed"), "{to}\n{}", answer.show());
    }
}

fn unknown_names_and_ports_are_refused(world: &World) {
    let place = server(world, "tunnel-unknown");
    let ns = &place.name;
    for to in [
        format!("nothing.{ns}.svc:80"),
        format!("nothing.{ns}.pod:80"),
        format!("named.{ns}.svc:81"),
        format!("named.{ns}.svc.example.com:80"),
    ] {
        let answer = world.alice().option("-W").option(&to).run().exits(255);
        assert!(answer.err.contains("open failed") && answer.out.is_empty(), "{to}\n{}", answer.show());
    }
}

/// `ssh -N -L`, and the local port.
fn local(world: &World, to: &str) -> (Running, u16) {
    let port = sallyport_tests::world::free_port().port();
    let spec = format!("127.0.0.1:{port}:{to}");
    let running = world.alice().option("-N").option("-L").option(spec).o("ExitOnForwardFailure=yes").start();
    until("ssh listens", seconds(60), || TcpStream::connect(("127.0.0.1", port)).ok());
    (running, port)
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect to the tunnel");
    stream.set_read_timeout(Some(seconds(60))).expect("a limit");
    stream
}

fn many_connections_at_once(world: &World) {
    let place = server(world, "tunnel-many");
    let (_ssh, port) = local(world, &format!("named.{}.svc:80", place.name));
    let clients: Vec<_> = (0..24_u8)
        .map(|n| {
            std::thread::spawn(move || {
                let mut stream = connect(port);
                stream.write_all(b"echo\n").expect("write");
                for _ in 0..20 {
                    stream.write_all(&[n; 5000]).expect("write");
                    let mut back = [0; 5000];
                    stream.read_exact(&mut back).expect("read");
                    assert!(back.iter().all(|b| *b == n), "bytes of another connection");
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("every connection works");
    }
}

fn half_close_is_kept_where_the_server_can(world: &World) {
    let place = server(world, "tunnel-half");
    let (_ssh, port) = local(world, &format!("server.{}.pod:7000", place.name));
    let mut stream = connect(port);
    stream.write_all(b"count\n").expect("write");
    stream.write_all(&[b'x'; 100_000]).expect("write");
    stream.shutdown(Shutdown::Write).expect("shut down");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    if world.half_close {
        assert_eq!(answer, "100000\n", "{read:?}");
    } else {
        // The connection must end, not hang.
        assert!(answer.is_empty() || answer == "100000\n", "{answer}");
    }
}

fn sixty_four_mebibytes_arrive_intact(world: &World) {
    const SIZE: usize = 64 << 20;
    let place = server(world, "tunnel-big");
    let (_ssh, port) = local(world, &format!("server.{}.pod:7000", place.name));
    let byte = |at: usize| u8::try_from(at % 251).expect("less than 256");

    let mut down = connect(port);
    down.write_all(format!("give {SIZE}\n").as_bytes()).expect("write");
    let mut got = Vec::with_capacity(SIZE);
    down.read_to_end(&mut got).expect("read");
    assert_eq!(got.len(), SIZE);
    // The server repeats 261 times 251 bytes in each piece, so the pattern has no seam.
    assert!(got.iter().enumerate().all(|(at, b)| *b == byte(at)), "bytes changed on their way down");

    let mut up = connect(port);
    up.write_all(format!("take {SIZE}\n").as_bytes()).expect("write");
    up.write_all(&got).expect("write");
    let mut sum = String::new();
    let mut one = [0];
    while up.read(&mut one).expect("read") == 1 && one[0] != b'\n' {
        sum.push(char::from(one[0]));
    }
    let expected: u64 = got.iter().map(|b| u64::from(*b)).sum::<u64>() % (1 << 32);
    assert_eq!(sum, expected.to_string(), "bytes changed on their way up");
}

fn a_connection_closed_by_the_pod_ends(world: &World) {
    let place = server(world, "tunnel-ends");
    let (_ssh, port) = local(world, &format!("server.{}.pod:7000", place.name));
    let mut stream = connect(port);
    stream.write_all(b"close\n").expect("write");
    assert_eq!(stream.read(&mut [0; 16]).expect("an end, not an error"), 0);
}

fn tunnels_have_events(world: &World) {
    let place = server(world, "tunnel-events");
    through(world, &format!("server.{}.pod:7000", place.name), "echo\nhello events\n", "hello events\n");
    let ours = |e: &serde_json::Value| e["place"]["namespace"] == *place.name && e["action"] == "forward";
    let started = world.event("session.started", ours);
    assert_eq!((&started["place"]["pod"], &started["place"]["port"]), (&json!("server"), &json!(7000)));
    let ended = world.event("session.ended", ours);
    assert_eq!(ended["session"], started["session"]);
    assert!(ended["bytesIn"].as_u64() >= Some(18) && ended["bytesOut"].as_u64() >= Some(13), "{ended}");
}
