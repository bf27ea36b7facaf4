//! Named sets of allow rules, in the language in which people write their own.
//!
//! `observe` looks and changes nothing; it reads logs and what the kernel tells, no configuration and no environment.
//! `debug` is `observe`, and signals that processes expect, and asks the network. `database-read` asks databases.

use super::RuleInput;

/// Their names.
pub(crate) const NAMES: [&str; 3] = ["observe", "debug", "database-read"];

/// What logs may be read.
const LOGS: &[&str] = &[
    "/var/log/**",
    // What a machine says of itself, without anybody's secrets.
    "/etc/os-release",
    // Where most distributions' link leads.
    "/usr/lib/os-release",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/proc/cpuinfo",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/uptime",
    "/proc/version",
    "/proc/vmstat",
    "/proc/*/cgroup",
    "/proc/*/limits",
    "/proc/*/status",
];
/// Web addresses of the container itself.
const LOCAL: &str = r"(https?://)?(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?([/?][^\s{}\[\]]*)?";
const HOST: &str = r"@?[A-Za-z0-9][A-Za-z0-9_.:-]*";
const NUMBER: &str = "[0-9]+";

fn any(programs: &str) -> RuleInput {
    RuleInput { programs: words(programs), ..RuleInput::default() }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl RuleInput {
    fn reads(mut self, patterns: &[&str]) -> Self {
        self.reads = Some(patterns.iter().map(|pattern| (*pattern).to_owned()).collect());
        self
    }

    fn flags(mut self, flags: &str) -> Self {
        self.flags = Some(words(flags));
        self
    }

    fn args(mut self, patterns: &[&str]) -> Self {
        self.args = Some(patterns.iter().map(|pattern| (*pattern).to_owned()).collect());
        self
    }

    fn say(mut self, message: &str) -> Self {
        self.message = Some(message.to_owned());
        self
    }
}

/// The rules of a set; `None` where there is none of this name. Those of `debug` that are `observe`'s are called so.
pub(crate) fn rules(name: &str) -> Option<Vec<(&'static str, RuleInput)>> {
    // Their rules write nothing, and say so.
    let still = |rule| RuleInput { writes: Some(Vec::new()), ..rule };
    let named =
        |name: &'static str, rules: Vec<RuleInput>| rules.into_iter().map(move |rule| (name, still(rule)));
    match name {
        "observe" => Some(named("observe", observe()).collect()),
        "debug" => Some(named("observe", observe()).chain(named("debug", debug())).collect()),
        "database-read" => Some(named("database-read", database_read()).collect()),
        _ => None,
    }
}

fn observe() -> Vec<RuleInput> {
    vec![
        // Processes and the machine.
        any("ps top pgrep pidof pstree free uptime vmstat iostat mpstat pidstat pmap pwdx slabtop lsof").reads(&[]),
        any("nproc id whoami groups w arch tty lscpu ipcs clear numfmt locale").reads(&[]),
        any("who users last sar").reads(LOGS),
        any("stty").flags("-a -g").args(&["size", "speed"]).say("`stty size`, `stty -a`"),
        any("tput").flags("-T").args(&["cols", "lines", "colors", "longname"]).say("`tput cols`"),
        any("date hostname").reads(&[]).say("`date` and `hostname` without a new value"),
        // Names, sizes and dates of files are no secret; what is in them is.
        any("ls stat du df find readlink realpath basename dirname pwd which whereis mountpoint findmnt lsblk test ["),
        // Logs, and what other commands write.
        any("cat head tail grep egrep fgrep zgrep zcat bzcat xzcat less").reads(LOGS),
        any("wc cut sort uniq tr tac nl paste comm column rev fold expand od hexdump strings sed awk gawk mawk jq diff cmp").reads(LOGS),
        any("md5sum sha1sum sha256sum cksum base64").reads(LOGS),
        any("echo printf true false seq sleep expr cal yes").reads(&[]),
        // The network, as it is.
        any("ss netstat ip ifconfig route arp getent").reads(&[]),
        any("dig").flags("-4 -6 -t -x -p -q -c").args(&[r"[@+]?[A-Za-z0-9_.:=-]+"]),
        any("host nslookup").flags("-t -a -4 -6 -v -W -type -query -debug -timeout -port").args(&[HOST]),
        any("curl")
            .flags(
                "-s -S -v -i -I -k -m -f -g --connect-timeout --compressed -H -4 -6 --http1.1 --http2 --retry --retry-delay -w -A -G -X=GET -X=HEAD -o=/dev/null -o=- --no-progress-meter -N -q --path-as-is \
                 --fail-with-body",
            )
            .args(&[LOCAL])
            .reads(&[])
            .say("addresses like `http://localhost:8080/health`"),
        any("wget").flags("-q -S --spider -T -O=- -O=/dev/null --header -4 -6 -t --no-check-certificate -nv").args(&[LOCAL]).reads(&[]).say("addresses like `http://localhost:8080/health`, with `-qO-`"),
        any("pg_isready"),
        // The JVM.
        any("jps jstack jstat jcmd").reads(&[]),
        any("jmap").flags("-histo -finalizerinfo -clstats"),
        any("jinfo").flags("-flags!"),
    ]
}

fn debug() -> Vec<RuleInput> {
    let signals = "--signal=TERM --signal=INT --signal=HUP --signal=QUIT --signal=USR1 --signal=USR2 --signal=CONT --signal=0";
    vec![
        any("kill")
            .flags(&format!("{signals} -l -L"))
            .args(&["[1-9][0-9]*"])
            .say("process numbers, one by one"),
        any("pkill killall")
            .flags(&format!("{signals} -f -x -n -o -e"))
            .args(&["[A-Za-z0-9][A-Za-z0-9_-]{2,63}"]),
        any("ping ping4 ping6").flags("-c -i -w -W -n -q -s -4 -6").args(&[HOST]),
        any("traceroute tracepath mtr").flags("-n -4 -6 -m -q -w -r -c -I -T -p").args(&[HOST, NUMBER]),
        any("nc ncat netcat")
            .flags("-z! -v -w -n -u -4 -6")
            .args(&[HOST, "[0-9]+(-[0-9]+)?"])
            .say("`nc -z -w 3 HOST PORT`"),
        any("tcpdump").flags("-i -n -c -v -e -q -s -t -l -D -#").reads(&[]),
        any("curl")
            .flags(
                "-I! -s -S -v -i -k -m -f --connect-timeout --http1.1 --http2 -4 -6 -w -o=/dev/null -X=HEAD",
            )
            .args(&[r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s{}\[\]]*)?"])
            .reads(&[]),
        any("jmap").flags("-histo -histo:live -finalizerinfo -clstats"),
    ]
}

fn database_read() -> Vec<RuleInput> {
    vec![
        any("psql").flags("-c -l -d -h -p -U -w -W -t -A -x -q -X -H -F -R -1 --csv -z -0 -E -S"),
        any("pg_isready"),
        any("mysql mariadb").flags("-e -h -P -u -p -D -B -s -N -t -E -X -r -A -C --ssl-mode --connect-timeout --default-character-set --protocol"),
        any("redis-cli valkey-cli").flags(
            "-h -p -n -a --user --tls --sni --insecure --raw --no-raw --csv --json -2 -3 --stat --latency --latency-history --bigkeys --memkeys --hotkeys --scan --pattern --count --no-auth-warning",
        ),
        any("sqlite3").flags("-readonly -batch -header -noheader -json -csv -line -list -column -box -table -markdown -separator -nullvalue -ascii -quote -tabs -bail"),
    ]
}
