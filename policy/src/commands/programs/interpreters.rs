//! Whatever runs text that it is given: shells, languages, build tools.

use super::{Check, Operands, Program, Syntax, program};

const SHELL: &str = "type the commands themselves; the guarded shell has pipes, `&&`, variables and patterns";
const LANGUAGE: &str =
    "a program text can do anything; use `grep`, `awk` or `sed`, or ask for a policy that lets you";

pub(super) const PROGRAMS: &[Program] = &[
    program("sh bash dash ash zsh ksh mksh rksh rbash csh tcsh fish elvish nu pwsh xonsh osh ysh yash posh hush static-sh lksh sash", Syntax::Posix, Operands::Unknown,
        "-c=text:starts -i -l -e -u -x -s -v -f -n -r -p -o=text -O=text --login --norc --noprofile --posix --rcfile=read --init-file=read --restricted")
        .always(SHELL)
        .check(Check::Shell),
    program("python pypy ipython jython", Syntax::Posix, Operands::Unknown, "-c=text:starts -m=text:starts").always(LANGUAGE),
    program("perl ruby irb php lua luajit tclsh wish guile racket sbcl ghc runghc swift julia R Rscript octave raku escript erl iex elixir ocaml", Syntax::Posix, Operands::Unknown, "").always(LANGUAGE),
    program("node nodejs deno bun npm npx yarn pnpm ts-node tsx pip pipx gem bundle bundler composer cargo go dotnet mono", Syntax::Posix, Operands::Unknown, "").always(LANGUAGE),
    program("make gmake cmake ninja gcc g++ cc c++ clang tcc ld as rustc scala kotlin groovy gradle mvn ant sbt bazel rake just", Syntax::Posix, Operands::Unknown, "")
        .always("nothing is built in a running container"),
    program("busybox toybox sbase-box ubase-box coreutils", Syntax::Posix, Operands::Command, "--help --list --list-full --install:writes")
        .always("type the command itself: `cat FILE` rather than `busybox cat FILE`"),
    program("bc dc m4 gnuplot units factor", Syntax::Gnu, Operands::Unknown, "").always("calculate where you are"),
    program("dpkg dpkg-deb rpm apk apt apt-get aptitude yum dnf microdnf zypper snap pacman opkg", Syntax::Gnu, Operands::Unknown, "").always(
        "nothing is installed in a running container; ask for an ephemeral container with the tool in it",
    ),
    program("run-parts update-alternatives start-stop-daemon debconf install-info", Syntax::Gnu, Operands::Unknown, "").always("type the command itself"),
    program("eval source . exec alias function trap command builtin enable hash bind complete compgen coproc fc", Syntax::Posix, Operands::Unknown, "").always(
        "type the command itself",
    ),
];
