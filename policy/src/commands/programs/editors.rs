//! Pagers and editors. What starts programs from inside is closed, or refused.

use super::{Check, Operands, Program, Starts, Syntax, program};

const PAGER: &str = "use `less`";
const EDITOR: &str =
    "to look use `less`; files of a running container are changed by rolling out a new image";

pub(super) const PROGRAMS: &[Program] = &[
    // `-L` (no preprocessor) is a flag that busybox' less does not have: that one, which knows no secure mode and opens
    // any file, refuses to run rather than running open.
    program("less", Syntax::Gnu, Operands::Read, "-a/--search-skip-screen -A/--SEARCH-SKIP-SCREEN -b/--buffers=num -B/--auto-buffers -c/--clear-screen -d/--dumb -e/--quit-at-eof -E/--QUIT-AT-EOF \
        -f/--force -F/--quit-if-one-screen -g/--hilite-search -G/--HILITE-SEARCH -h/--max-back-scroll=num -i/--ignore-case -I/--IGNORE-CASE -j/--jump-target=text -J/--status-column \
        -k/--lesskey-file=read:starts --lesskey-src=read:starts --lesskey-content=text:starts -K/--quit-on-intr -L/--no-lessopen -m/--long-prompt -M/--LONG-PROMPT -n/--line-numbers -N/--LINE-NUMBERS \
        -o/--log-file=write -O/--LOG-FILE=write -p/--pattern=text -P/--prompt=text -q/--quiet/--silent -Q/--QUIET/--SILENT -r/--raw-control-chars -R/--RAW-CONTROL-CHARS -s/--squeeze-blank-lines \
        -S/--chop-long-lines -t/--tag=text:starts -T/--tag-file=read:starts -u/--underline-special -U/--UNDERLINE-SPECIAL -V/--version -w/--hilite-unread -W/--HILITE-UNREAD -x/--tabs=text \
        -X/--no-init -y/--max-forw-scroll=num -z/--window=num -~/--tilde -#/--shift=num --follow-name --mouse --MOUSE --use-color --incsearch --header=text --help -?")
    .starts(Starts::Closed { before: &["env", "LESSSECURE=1"], behind: &["-L"], open: "" })
    .check(Check::Plus),
    program("more most pg", Syntax::Gnu, Operands::Read, "").always(PAGER),
    program("man info apropos whatis", Syntax::Gnu, Operands::Text, "").always("read the manual where you are; here, `PROGRAM --help`"),
    program("zless zmore bzless bzmore xzless xzmore pager", Syntax::Gnu, Operands::Read, "").always("use `zcat FILE | less`"),
    // Restricted: no programs; but any file can be opened and written from inside.
    program("vim view vimdiff", Syntax::Gnu, Operands::Read, "-R -Z -m -M -n -N -C -b -l -y -e -E -v -x:writes -g -f -h/--help --version -o?=num -O?=num -p?=num -d -V?=text:starts -t=text:starts -q=read \
        -r=read -L=read -T=text -c=text:starts --cmd=text:starts -s=read:starts -S=read:starts -u=read:starts -U=read:starts -i=write -w=write -W=write --noplugin --clean --startuptime=write --servername=text:starts --remote:starts")
    .starts(Starts::Closed { before: &[], behind: &["-Z"], open: "inside it any file can be opened and written" })
    .check(Check::Plus),
    program("vi nvi elvis ex ed red nvim rvim rview nano pico emacs joe jed micro mcedit mc ne helix hx kak sensible-editor editor vipw vigr visudo sudoedit", Syntax::Gnu, Operands::Write, "").always(EDITOR),
    program("sensible-pager screen tmux script scriptreplay zellij dtach abduco expect unbuffer rlwrap", Syntax::Gnu, Operands::Unknown, "").always(
        "open a second session instead; every session is recorded anyway",
    ),
];
