//! Programs whose operands are a command: the inner command is judged for itself. Those that change who one is, or where
//! one is, are refused.

use super::{Operands, Program, Starts, Syntax, program};

const DIRECT: &str = "type the command itself";

const fn wraps(names: &'static str, operands: Operands, flags: &'static str) -> Program {
    program(names, Syntax::Posix, operands, flags).starts(Starts::Operands)
}

pub(super) const PROGRAMS: &[Program] = &[
    wraps("env", Operands::Assignments, "-i/--ignore-environment -0/--null -u/--unset=text -C/--chdir=chdir -S/--split-string=text:starts -v/--debug \
        --block-signal?=text --default-signal?=text --ignore-signal?=text --list-signal-handling -a/--argv0=text:starts -P=text:starts --help --version"),
    wraps("nice", Operands::Command, "-n/--adjustment=num -NUM --help --version"),
    wraps("ionice", Operands::Command, "-c/--class=text -n/--classdata=num -t/--ignore -p/--pid=num:change -P/--pgid=num:change -u/--uid=num:change -h/--help -V/--version"),
    wraps("nohup", Operands::Command, "--help --version"),
    wraps("setsid", Operands::Command, "-c/--ctty -f/--fork -w/--wait -h/--help -V/--version"),
    wraps("timeout", Operands::TextCommand, "-k/--kill-after=text -s/--signal=text --preserve-status --foreground -v/--verbose --help --version"),
    wraps("stdbuf", Operands::Command, "-i/--input=text -o/--output=text -e/--error=text --help --version"),
    wraps("time", Operands::Command, "-a/--append -f/--format=text -o/--output=write -p/--portability -q/--quiet -v/--verbose -V/--version --help"),
    wraps("chrt", Operands::TextCommand, "-b/--batch -f/--fifo -i/--idle -o/--other -r/--rr -R/--reset-on-fork -v/--verbose"),
    wraps("taskset", Operands::TextCommand, "-c/--cpu-list -a/--all-tasks"),
    program("xargs parallel", Syntax::Posix, Operands::Command, "-0/--null -a/--arg-file=read -d/--delimiter=text -E=text -e?=text -I=text -i?=text -L=num -l?=num -n/--max-args=num -o/--open-tty -p/--interactive \
        -P/--max-procs=num -r/--no-run-if-empty -s/--max-chars=num -t/--verbose -x/--exit --show-limits --process-slot-var=text --help --version")
        .always("its arguments come from its input, so that nobody can know them: name the files, or use `find DIR -exec COMMAND {} +`"),
    program("watch", Syntax::Posix, Operands::Command, "-n/--interval=num -d/--differences?=text -t/--no-title -b/--beep -e/--errexit -g/--chgexit -c/--color -x/--exec -p/--precise").always(
        "it hands its words to a shell: type the command itself, repeat it with the arrow key; `top -d 2`, `tail -f FILE`, `free -s 2` go on by themselves",
    ),
    program("sudo doas su runuser setpriv gosu su-exec pkexec sg newgrp capsh login", Syntax::Posix, Operands::Command, "-u/--user=text -g/--group=text -n/--non-interactive -E/--preserve-env?=text -H/--set-home -i/--login -s/--shell -c/--command=text:starts -k -S -b -A -p=text")
        .always("a session stays who it is; to work as another user ask for a policy whose container runs as that user"),
    program("chroot nsenter unshare setarch linux32 linux64 i386 x86_64 ip-netns switch_root pivot_root bwrap firejail fakeroot proot", Syntax::Posix, Operands::Command, "").always(
        "open the other container itself through the gateway",
    ),
    program("docker podman nerdctl ctr crictl kubectl helm oc runc crun k9s k3s aws gcloud az", Syntax::Posix, Operands::Unknown, "").always(
        "use the gateway's own verbs, or your own machine, for the cluster",
    ),
    program("flock catchsegv prlimit tini dumb-init runit runsv s6-setuidgid chpst softlimit envdir setlock tsp cpulimit systemd-run ld.so ldd ld-linux.so valgrind torsocks proxychains entr inotifywait", Syntax::Posix, Operands::Command, "")
        .always(DIRECT),
];
