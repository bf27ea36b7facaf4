//! Processes and the machine: procps, psmisc, util-linux.

use super::{Check, Operands, Program, Syntax, program};

const SIGNALS: &str =
    "-l/--list -L/--table -s/--signal=text -n=text -q=num:change -a/--all --timeout=text --verbose";
const PKILL: &str = "-s/--session=text -n/--newest -o/--oldest -f/--full -x/--exact -v/--inverse -P/--parent=text -u/--euid=text \
    -U/--uid=text -g/--pgroup=text -G/--group=text -t/--terminal=text -c/--count -e/--echo -i/--ignore-case -O/--older=text \
    -F/--pidfile=read -L/--logpidfile -r/--runstates=text --ns=num --nslist=text --cgroup=text -q/--queue=num -H --signal=text";

pub(super) const PROGRAMS: &[Program] = &[
    program("ps", Syntax::Bundle, Operands::Text, "").check(Check::Ps),
    // Interactive top sends signals to processes that the person could signal anyway; what its configuration could start is
    // closed by protecting the configuration.
    program("top", Syntax::Gnu, Operands::Text, "-b/--batch-mode -c/--cmdline-toggle -d/--delay=text -E/--scale-summary-mem=text \
        -e/--scale-task-mem=text -H/--threads-show -h/--help -i/--idle-toggle -m -n/--iterations=num -O/--list-fields \
        -o/--sort-override=text -p/--pid=text -s/--secure-mode -S/--accum-time-toggle -1/--single-cpu-toggle -u/--filter-only-euser=text \
        -U/--filter-any-user=text -V/--version -w/--width?=num"),
    // It starts strace and lsof from inside.
    program("htop atop btop glances nmon", Syntax::Gnu, Operands::Text, "").always("use `top`"),
    program("pgrep", Syntax::Gnu, Operands::Text, "-d/--delimiter=text -l/--list-name -a/--list-full -v/--inverse -w/--lightweight -c/--count \
        -f/--full -g/--pgroup=text -G/--group=text -i/--ignore-case -n/--newest -o/--oldest -O/--older=text -P/--parent=text -s/--session=text \
        --signal=text -t/--terminal=text -u/--euid=text -U/--uid=text -x/--exact -F/--pidfile=read -L/--logpidfile -r/--runstates=text \
        -A/--ignore-ancestors --cgroup=text --ns=num --nslist=text -h/--help -V/--version"),
    program("pidof", Syntax::Gnu, Operands::Text, "-s -c -q -w -x -n -z -o=text -S=text -d=text"),
    program("pstree", Syntax::Gnu, Operands::Text, "-a/--arguments -A/--ascii -c/--compact-not -C=text -g/--show-pgids -h/--highlight-all \
        -H=num -l/--long -n/--numeric-sort -N=text -p/--show-pids -s/--show-parents -S/--ns-changes -t/--thread-names -T/--hide-threads \
        -u/--uid-changes -U/--unicode -V/--version -w -Z"),
    program("kill", Syntax::Signal, Operands::Text, SIGNALS),
    program("killall", Syntax::Signal, Operands::Text, "-e/--exact -I/--ignore-case -g/--process-group -y/--younger-than=text -o/--older-than=text \
        -i/--interactive -l/--list -q/--quiet -r/--regexp -s/--signal=text -u/--user=text -v/--verbose -V/--version -w/--wait -n/--ns=num -Z=text"),
    program("pkill", Syntax::Signal, Operands::Text, PKILL),
    program("free", Syntax::Gnu, Operands::Text, "-b/--bytes -k/--kilo --kibi -m/--mega --mebi -g/--giga --gibi --tera --tebi --peta --pebi -h/--human \
        --si -l/--lohi -L/--line -t/--total -v/--committed -s/--seconds=text -c/--count=num -w/--wide --help -V/--version"),
    program("uptime", Syntax::Gnu, Operands::Text, "-p/--pretty -s/--since -h/--help -V/--version"),
    program("vmstat", Syntax::Gnu, Operands::Text, "-a/--active -f/--forks -m/--slabs -n/--one-header -s/--stats -d/--disk -D/--disk-sum \
        -p/--partition=text -S/--unit=text -t/--timestamp -w/--wide -y/--no-first -h/--help -V/--version"),
    // `pidstat -e` starts a program.
    program("iostat mpstat pidstat", Syntax::Gnu, Operands::Text, "-c -d -h -k -m -N -p?=text -t -x -y -z -A -P=text -I=text -u -r -s -w -T=text -C=text \
        -l -U -v -H -e=text:starts -o=text --human --pretty --dec=num -V"),
    program("sar", Syntax::Gnu, Operands::Text, "-A -B -b -d -F -h -H -p -q -r -S -t -u -V -v -W -w -y -z -e=text -f=read -i=num -I=text -m=text -n=text -o=write:writes \
        -P=text -s=text --dec=num --dev=text --fs=text --iface=text --int=text --human --pretty --help --version").check(Check::Sar),
    program("slabtop", Syntax::Gnu, Operands::Text, "-d/--delay=num -o/--once -s/--sort=text -h/--help -V/--version"),
    program("pmap pwdx", Syntax::Gnu, Operands::Text, "-x/--extended -X -d/--device -q/--quiet -p/--show-path -A/--range=text -h/--help -V/--version"),
    program("w lastlog", Syntax::Gnu, Operands::Text, "-a/--all -b=num -t/--time=num -h/--no-header -s/--short -f/--from -u/--no-current -o/--old-style -i/--ip-addr \
        -p/--pids --help -V/--version"),
    // Given a file, they read that.
    program("who users", Syntax::Gnu, Operands::Read, "-a/--all -b/--boot -d/--dead -H/--heading --ips -l/--login --lookup -m -p/--process -q/--count -r/--runlevel \
        -s/--short -t/--time -T/-w/--mesg/--message/--writable -u/--users --help --version").check(Check::Who),
    program("last lastb", Syntax::Gnu, Operands::Text, "-a/--hostlast -d/--dns -f/--file=read -F/--fulltimes -i/--ip -n/--limit=num -p/--present=text -R/--nohostname \
        -s/--since=text -t/--until=text --time-format=text -w/--fullnames -x/--system -NUM -h/--help -V/--version"),
    program("id", Syntax::Gnu, Operands::Text, "-a -g/--group -G/--groups -n/--name -r/--real -u/--user -z/--zero -Z/--context --help --version"),
    program("whoami groups logname tty arch nproc hostid", Syntax::Gnu, Operands::Text, "-s/--silent/--quiet --all --ignore=num --help --version"),
    program("uname", Syntax::Gnu, Operands::Text, "-a/--all -s/--kernel-name -n/--nodename -r/--kernel-release -v/--kernel-version -m/--machine \
        -p/--processor -i/--hardware-platform -o/--operating-system --help --version"),
    program("hostname", Syntax::Gnu, Operands::Text, "-a/--alias -A/--all-fqdns -b/--boot:change -d/--domain -f/--fqdn/--long -F/--file=read:change \
        -i/--ip-address -I/--all-ip-addresses -s/--short -y/--yp/--nis -h/--help -V/--version").check(Check::Sets('-')),
    program("date", Syntax::Gnu, Operands::Text, "-d/--date=text --debug -f/--file=read -I?=text --iso-8601?=text -R/--rfc-email/--rfc-2822 --rfc-3339=text \
        -r/--reference=read -s/--set=text:change -u/--utc/--universal --resolution -D=text --help --version").check(Check::Sets('+')),
    program("cal", Syntax::Gnu, Operands::Text, "-1/--one -3/--three -s/--sunday -m/--monday -j/--julian -y/--year -w/--week"),
    program("sleep usleep", Syntax::Gnu, Operands::Text, "--help --version"),
    // What `stty` sets, it sets for the terminal that it runs on, which ends with it; with `-F` for another.
    program("stty", Syntax::LongDash, Operands::Text, "-a/-all -g/-save -F/-file=read -echo -echoe -echok -echonl -echoctl -icanon -isig -iexten -ixon -ixoff -ixany -opost \
        -onlcr -ocrnl -icrnl -inlcr -igncr -istrip -iutf8 -brkint -ignbrk -imaxbel -tostop -noflsh -cbreak -raw -cooked -nl -evenp -oddp -parenb -parodd -cstopb -crtscts \
        -cread -hupcl -clocal -help -version"),
    program("tput", Syntax::Gnu, Operands::Text, "-S:starts -T=text -V -x").check(Check::Terminal),
    program("clear", Syntax::Gnu, Operands::Text, "-T=text -V -x"),
    program("locale", Syntax::Gnu, Operands::Text, "-a/--all-locales -c/--category-name -k/--keyword-name -m/--charmaps -v/--verbose -?/--help --usage -V/--version"),
    // First a name, then the path that it is asked of; `-v` runs another `getconf`.
    program("getconf", Syntax::Gnu, Operands::Pattern, "-a:pattern -v=text:starts --help --version"),
    program("lsmod", Syntax::Plain, Operands::Text, ""),
    program("lsb_release", Syntax::Gnu, Operands::Text, "-a/--all -c/--codename -d/--description -i/--id -r/--release -s/--short -v/--version -h/--help"),
    program("uuidgen", Syntax::Gnu, Operands::Text, "-r/--random -t/--time -n/--namespace=text -N/--name=text -m/--md5 -s/--sha1 -x/--hex -h/--help -V/--version"),
    program("printenv", Syntax::Gnu, Operands::Text, "-0/--null --help --version"),
    program("lscpu lsmem lsns lsipc", Syntax::Gnu, Operands::Text, "-a/--all -b/--online -J/--json -e?=text --extended?=text -p?=text -l/--list -n/--noheadings \
        -o/--output=text -r/--raw -t/--type=text -h/--help -V/--version"),
    program("ipcs", Syntax::Gnu, Operands::Text, "-a/--all -q/--queues -m/--shmems -s/--semaphores -t/--time -p/--pid -c/--creator -l/--limits -u/--summary \
        --human -b/--bytes -i/--id=num"),
    program("lsof", Syntax::Gnu, Operands::Text, "-a -b -c=text -C -d=text -f?=text -F?=text -g?=text -h -i?=text -l -L?=num -M -n -N -o?=num -O -p=text -P -r?=text \
        -R -s?=text -S?=num -t -T?=text -u=text -U -v -V -w -x?=text -X -Z"),
    program("fuser", Syntax::Gnu, Operands::Read, "-a/--all -i/--interactive -I/--inode -k/--kill:change -l/--list-signals -m/--mount -M/--ismountpoint \
        -n/--namespace=text -s/--silent -u/--user -v/--verbose -w/--writeonly -V/--version -4/--ipv4 -6/--ipv6"),
    program("sysctl", Syntax::Gnu, Operands::Text, "-a/--all -A -b/--binary -e/--ignore -N/--names -n/--values -p?=read:change --load?=read:change --system:change \
        -r/--pattern=text -q/--quiet -w/--write:change -X -h/--help -V/--version").check(Check::Sets('=')),
    program("ulimit umask", Syntax::Plain, Operands::Text, ""),
    program("renice", Syntax::Gnu, Operands::Text, "-n/--priority=num -p/--pid -g/--pgrp -u/--user --relative=num"),
    program("strace ltrace perf bpftrace", Syntax::Posix, Operands::Command, "-p/--attach=text -f/--follow-forks -ff -c -C -e=text -o/--output=write -s=num -t -T -tt -ttt \
        -v -y -yy -i -k -r -x -xx -z -Z -u=text -E=text -P=read -q -w -S=text -d -D -I=num -a=num -b=text").always(
        "to see what a process waits for: `cat /proc/PID/wchan`, `ps -o pid,wchan,comm -p PID`, `jstack PID`",
    ),
    program("gdb lldb", Syntax::Posix, Operands::Command, "").always("for a JVM `jstack PID`; a core dump is read elsewhere"),
    program("systemctl service rc-service initctl supervisorctl s6-svc sv", Syntax::Gnu, Operands::Text, "").always(
        "to restart what runs here, roll out its deployment",
    ),
    program("crontab at batch", Syntax::Gnu, Operands::Text, "").always("what is to run later belongs into a CronJob"),
    program("reboot halt poweroff shutdown init telinit", Syntax::Gnu, Operands::Text, "").always("to restart a pod, delete it or roll out its deployment"),
];
