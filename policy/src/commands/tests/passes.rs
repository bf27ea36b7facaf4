//! What the named sets let pass: what people type while something is wrong.

use super::*;

#[test]
fn observing_is_possible_without_thinking_about_rules() {
    let commands = sets(&["observe"]);
    for line in [
        "ps aux",
        "ps -ef",
        "ps auxww",
        "ps -eo pid,ppid,cmd --sort=-rss",
        "ps -fp 1",
        "ps -T -p 17",
        "top -b -n 1",
        "top",
        "ls -la /etc",
        "ls",
        "ls -lhtr /var/log/app",
        "cat /var/log/app/a.log",
        "tail -f /var/log/app.log",
        "tail -n 100 /var/log/app.log",
        "tail -100f /var/log/app.log",
        "head -20 /var/log/x",
        "grep -rn ERROR /var/log",
        "grep -c 500 /var/log/a",
        "grep -A5 -i timeout /var/log/a /var/log/b",
        "zgrep ERROR /var/log/a.gz",
        "df -h",
        "free -m",
        "uptime",
        "ss -tlnp",
        "netstat -tulpen",
        "ip a",
        "ip addr show",
        "ip -s link show eth0",
        "ip route",
        "ip r",
        "dig +short example.com",
        "dig @10.0.0.1 example.com A",
        "nslookup -type=A db",
        "curl -s http://localhost:8080/health",
        "curl -sS -o /dev/null -w %{http_code} http://127.0.0.1:9090/metrics",
        "curl -v localhost:8080/a?b=c",
        "curl http://[::1]:8080/",
        "curl -H X-Debug:_1 http://localhost/",
        "wget -qO- http://localhost:8080/health",
        "jcmd 1 Thread.print",
        "jcmd 1 VM.flags",
        "jcmd -l",
        "jcmd",
        "jstack 1",
        "jstat -gcutil 1 1000",
        "jps -l",
        "jmap -histo 1",
        "date",
        "date +%s",
        "date -u",
        "id",
        "hostname",
        "hostname -f",
        "find / -name core",
        "find /var/log -name *.log -mmin -10",
        "find /var/log -type f -exec grep -l ERROR {} ;",
        "find /var/log -name *.log -exec wc -l {} +",
        "awk {print_$1} /var/log/a",
        "sed -n 1,10p /var/log/a",
        "sort -k2 -n /var/log/a",
        "timeout 5 cat /var/log/a",
        "nice -n 10 grep x /var/log/a",
        "env LANG=C sort /var/log/a",
        "wc -l",
        "uniq -c",
        "cut -d: -f1",
        "stat /etc/passwd",
        "du -sh /var/log",
        "readlink -f /var/log",
        "lsof -p 1",
        "/usr/bin/ps -ef",
        "ls -l /proc/1",
        "getent hosts db",
        "cat",
        "pgrep -fl java",
    ] {
        assert!(cleared(&commands, line).is_ok(), "{line}: {:?}", cleared(&commands, line));
    }
}

#[test]
fn debugging_adds_signals_and_the_network() {
    let commands = sets(&["debug"]);
    for line in [
        "kill -TERM 17",
        "kill -HUP 1",
        "kill -s QUIT 17",
        "kill -15 17 18",
        "kill -SIGUSR1 17",
        "kill 17",
        "pkill -USR2 nginx",
        "ping -c 3 db",
        "nc -z -w 3 db 5432",
        "nc -zv db 5432",
        "tcpdump -i eth0 -nn -c 10 port 80",
        "cat /var/log/a",
        "curl -I https://example.com/",
        "traceroute -n db",
    ] {
        assert!(cleared(&commands, line).is_ok(), "{line}: {:?}", cleared(&commands, line));
    }
}

#[test]
fn databases_are_read_with_one_statement_and_a_session_that_could_not_write() {
    let commands = sets(&["database-read"]);
    assert_eq!(
        cleared(&commands, "psql -h db -U app -d orders -c SELECT_count(*)_FROM_orders"),
        Ok("env PGOPTIONS=-c default_transaction_read_only=on psql -X -P pager=off -h db -U app -d orders -c SELECT count(*) FROM orders".to_owned())
    );
    for line in [
        "psql -c \\dt",
        "psql -l",
        "redis-cli get key",
        "redis-cli -h cache INFO",
        "redis-cli --scan --pattern a*",
        "sqlite3 /app/a.db select_1",
    ] {
        assert!(cleared(&commands, line).is_ok(), "{line}: {:?}", cleared(&commands, line));
    }
    let mysql = cleared(&commands, "mysql -h db -e SHOW_PROCESSLIST\\G").unwrap();
    let closed = "mysql --init-command=SET SESSION TRANSACTION READ ONLY --local-infile=0 --default-character-set=utf8mb4 -h db -e";
    assert!(mysql.starts_with(closed), "{mysql}");
}

#[test]
fn pagers_are_closed_by_what_runs_rather_than_by_trust() {
    let commands = sets(&["observe"]);
    assert_eq!(cleared(&commands, "less +G /var/log/a").unwrap(), "env LESSSECURE=1 less -L +G /var/log/a");
    assert_eq!(
        cleared(&commands, "timeout 9 less /var/log/a").unwrap(),
        "timeout 9 env LESSSECURE=1 less -L /var/log/a"
    );
    let vim = allowing(vec![RuleInput { writes: texts(&["/app/**"]), ..rule(&["vim"]) }]);
    assert_eq!(cleared(&vim, "vim /app/a").unwrap(), "vim -Z /app/a");
    assert!(matches!(judged(&vim, "vim /app/a").assurance, Assurance::Guardrail { .. }));
}

#[test]
fn the_streams_of_an_allowed_command_can_be_redirected_where_its_rule_says() {
    let commands = allowing(vec![RuleInput {
        reads: texts(&["/app/**"]),
        writes: texts(&["/tmp/**"]),
        ..rule(&["sort"])
    }]);
    let judge = |reads: &[&str], writes: &[&str]| {
        let own = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        commands
            .judge(&Invocation { reads: own(reads), writes: own(writes), ..at("/app", "sort") }, Way::Guarded)
            .cleared
            .is_some()
    };
    assert!(judge(&["in"], &["/tmp/out"]) && judge(&[], &["/dev/null"]) && judge(&["/app/x/in"], &[]));
    assert!(
        !judge(&["/etc/passwd"], &[])
            && !judge(&[], &["/app/out"])
            && !judge(&["../etc/passwd"], &[])
            && !judge(&[], &["/tmp/../etc/x"])
    );
}

#[test]
fn words_that_are_no_paths_are_none_in_whatever_directory() {
    for line in [
        "stty size",
        "stty -a",
        "stty rows 40 cols 120",
        "stty -echo",
        "tput cols",
        "numfmt --to=iec 1048576",
        "locale charmap",
        "getconf PAGESIZE",
        "who am i",
        "last alice",
        "sar -n DEV 1 3",
        "clear",
        "tty",
        "nproc",
        "printf %s size",
        "seq 1 5",
        "sleep 5",
        "tr a b",
        "expr 1 + 2",
        "kill -0 17",
        "date +%s",
        "vmstat 1 2",
        "iostat -o JSON 1 2",
        "getent hosts db",
        "nslookup db",
        "dig db",
        "ping -c 1 db",
        "id alice",
        "groups alice",
        "cal 2026",
        "basename app.log",
        "dirname app.log",
        "mpstat -P ALL 1 2",
        "pidstat -p 17 1",
        "uuidgen -r",
        "lsb_release -a",
    ] {
        let program = line.split(' ').next().unwrap();
        let rule =
            RuleInput { programs: vec![program.to_owned()], reads: Some(vec![]), ..RuleInput::default() };
        let input = CommandsInput { allow: vec![rule], ..CommandsInput::default() };
        let commands = Commands::parse(&input).unwrap();
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let at = Invocation { argv, directory: Some("/".to_owned()), ..Invocation::default() };
        let verdict = commands.judge(&at, Way::Guarded);
        assert!(verdict.cleared.is_some(), "{line}: {}", verdict.why);
    }
}

#[test]
fn files_that_such_programs_read_or_write_are_judged() {
    for line in [
        "stty -F /srv/x size",
        "stty --file=/srv/x size",
        "stty --file /srv/x",
        "who /srv/x",
        "users /srv/x",
        "last -f /srv/x",
        "sar -f /srv/x",
        "sar -o /srv/x 1 1",
        "sar -f -o /srv/x",
        "sar -o 1 1",
        "getconf NAME_MAX /srv/x",
        "getconf -a /srv/x",
        "getconf -v spec PAGESIZE",
        "tput init",
        "tput -S",
        "pidstat -e id",
        "date -f /srv/x",
    ] {
        let program = line.split(' ').next().unwrap();
        let rule =
            RuleInput { programs: vec![program.to_owned()], reads: Some(vec![]), ..RuleInput::default() };
        let input = CommandsInput { allow: vec![rule], ..CommandsInput::default() };
        let verdict = judged(&Commands::parse(&input).unwrap(), line);
        assert!(verdict.cleared.is_none(), "{line}");
    }
}
