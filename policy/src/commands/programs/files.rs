//! Files and directories: coreutils and their likes.

use super::{Check, Operands, Program, Syntax, program};

const COPY: &str = "-a/--archive:deep -b/--backup?=text:bare -d -f/--force -i/--interactive -H -l/--link -L/--dereference \
    -n/--no-clobber -P/--no-dereference -p/--preserve?=text:bare --no-preserve=text --parents -R/-r/--recursive:deep \
    --reflink?=text --remove-destination --sparse=text --strip-trailing-slashes -s/--symbolic-link:deep -S/--suffix=text \
    -t/--target-directory=into -T/--no-target-directory -u/--update?=text:bare -v/--verbose -x/--one-file-system -Z \
    --context?=text --attributes-only --help --version";

pub(super) const PROGRAMS: &[Program] = &[
    program(
        "ls dir vdir",
        Syntax::Gnu,
        Operands::Read,
        "-a/--all -A/--almost-all --author -b/--escape --block-size=text -B/--ignore-backups -c -C --color?=text \
         -d/--directory -D/--dired -f -F --classify?=text --file-type --format=text --full-time -g \
         --group-directories-first -G/--no-group -h/--human-readable --si -H/--dereference-command-line \
         --dereference-command-line-symlink-to-dir --hide=text --hyperlink?=text --indicator-style=text -i/--inode \
         -I/--ignore=text -k/--kibibytes -l -L/--dereference -m -n/--numeric-uid-gid -N/--literal -o -p \
         -q/--hide-control-chars --show-control-chars -Q/--quote-name --quoting-style=text -r/--reverse \
         -R/--recursive -s/--size -S --sort=text --time=text --time-style=text -t -T/--tabsize=num -u -U -v \
         -w/--width=num -x -X -Z/--context --zero -1 -e --help --version",
    ),
    program(
        "stat",
        Syntax::Gnu,
        Operands::Read,
        "-L/--dereference -f/--file-system --cached=text -c/--format=text --printf=text -t/--terse --help --version",
    ),
    program(
        "file",
        Syntax::Gnu,
        Operands::Read,
        "-b/--brief -c/--checking-printout -C/--compile:writes -d/--debug -E --apple -e/--exclude=text --extension \
         -F/--separator=text -f/--files-from=read -h/--no-dereference -i/--mime --mime-type --mime-encoding \
         -k/--keep-going -L/--dereference -l/--list -m/--magic-file=read -N/--no-pad -n/--no-buffer -p/--preserve-date \
         -P/--parameter=text -r/--raw -s/--special-files -S/--no-sandbox -v/--version -z/--uncompress:starts \
         -Z/--uncompress-noreport:starts -0/--print0 --help",
    ),
    program(
        "du",
        Syntax::Gnu,
        Operands::Read,
        "-0/--null -a/--all --apparent-size -B/--block-size=text -b/--bytes -c/--total -D/--dereference-args -d/--max-depth=num \
         --files0-from=read:starts -H -h/--human-readable --inodes -k -L/--dereference -l/--count-links -m -P/--no-dereference \
         -S/--separate-dirs --si -s/--summarize -t/--threshold=text --time?=text --time-style=text -X/--exclude-from=read \
         --exclude=text -x/--one-file-system --help --version",
    ),
    program(
        "df",
        Syntax::Gnu,
        Operands::Read,
        "-a/--all -B/--block-size=text -h/--human-readable -H/--si -i/--inodes -k -m -l/--local --no-sync --output?=text \
         -P/--portability --sync --total -t/--type=text -T/--print-type -x/--exclude-type=text -v --help --version",
    ),
    program(
        "readlink",
        Syntax::Gnu,
        Operands::Read,
        "-f/--canonicalize -e/--canonicalize-existing -m/--canonicalize-missing \
        -n/--no-newline -q/--quiet -s/--silent -v/--verbose -z/--zero --help --version",
    ),
    program(
        "realpath",
        Syntax::Gnu,
        Operands::Read,
        "-e/--canonicalize-existing -m/--canonicalize-missing -L/--logical \
        -P/--physical -q/--quiet --relative-to=read --relative-base=read -s/--strip/--no-symlinks -z/--zero --help --version",
    ),
    program(
        "basename dirname",
        Syntax::Gnu,
        Operands::Text,
        "-a/--multiple -s/--suffix=text -z/--zero --help --version",
    ),
    program("pwd", Syntax::Gnu, Operands::Text, "-L/--logical -P/--physical --help --version"),
    program("mountpoint", Syntax::Gnu, Operands::Read, "-q/--quiet -d/--fs-devno -x/--devno -n"),
    program(
        "findmnt lsblk",
        Syntax::Gnu,
        Operands::Read,
        "-a/--all -b/--bytes -D/--df -f/--fs -h/--help -i/--ascii \
        -J/--json -l/--list -m/--perms -n/--noheadings -o/--output=text -p -P/--pairs -r/--raw -t/--types=text -v -V/--version",
    ),
    program(
        "tree",
        Syntax::Gnu,
        Operands::Read,
        "-a -d -l -f -x -L=num -P=text -I=text -p -s -h -u -g -D -F -i -n -C -t -r \
        -o=write --du --dirsfirst --prune --noreport --filelimit=num --help --version",
    ),
    program("cp", Syntax::Gnu, Operands::CopyTo, COPY),
    program(
        "mv",
        Syntax::Gnu,
        Operands::MoveTo,
        "-b/--backup?=text:bare -f/--force -i/--interactive -n/--no-clobber \
        --strip-trailing-slashes -S/--suffix=text -t/--target-directory=into -T/--no-target-directory -u/--update?=text:bare \
        -v/--verbose -Z/--context --exchange --help --version",
    ),
    program(
        "ln",
        Syntax::Gnu,
        Operands::CopyTo,
        "-b/--backup?=text:bare -d -F/--directory -f/--force -i/--interactive \
        -L/--logical -n/--no-dereference -P/--physical -r/--relative -s/--symbolic -S/--suffix=text \
        -t/--target-directory=into -T/--no-target-directory -v/--verbose --help --version",
    ),
    program(
        "install",
        Syntax::Gnu,
        Operands::CopyTo,
        "-b/--backup?=text:bare -c -C/--compare -d/--directory:writes -D -g/--group=text \
        -m/--mode=text -o/--owner=text -p/--preserve-timestamps -s/--strip:starts --strip-program=text:starts -S/--suffix=text \
        -t/--target-directory=into -T/--no-target-directory -v/--verbose --help --version",
    ),
    program(
        "rm unlink rmdir",
        Syntax::Gnu,
        Operands::Write,
        "-f/--force -i -I --interactive?=text --one-file-system \
        --no-preserve-root --preserve-root?=text -r/-R/--recursive:deep -d/--dir -v/--verbose -p/--parents \
        --ignore-fail-on-non-empty --help --version",
    ),
    program(
        "mkdir mkfifo",
        Syntax::Gnu,
        Operands::Write,
        "-m/--mode=text -p/--parents -v/--verbose -Z --help --version",
    ),
    program("mknod", Syntax::Gnu, Operands::Write, "-m/--mode=text -Z --help --version")
        .always("devices are the node's; a pipe is made with `mkfifo`"),
    program(
        "touch",
        Syntax::Gnu,
        Operands::Write,
        "-a -c/--no-create -d/--date=text -f -h/--no-dereference -m \
        -r/--reference=read -t=text --time=text --help --version",
    ),
    program(
        "truncate",
        Syntax::Gnu,
        Operands::Write,
        "-c/--no-create -o/--io-blocks -r/--reference=read -s/--size=text --help --version",
    ),
    program(
        "shred",
        Syntax::Gnu,
        Operands::Write,
        "-f/--force -n/--iterations=num -s/--size=text -u --remove?=text -v/--verbose \
        -x/--exact -z/--zero --random-source=read --help --version",
    ),
    program(
        "chmod chown chgrp",
        Syntax::Gnu,
        Operands::Mode,
        "-c/--changes -f/--silent/--quiet -v/--verbose --dereference \
        -h/--no-dereference --no-preserve-root --preserve-root --reference=read:pattern --from=text -R/--recursive:deep -H -L -P \
        --help --version",
    ),
    program(
        "chattr setfacl",
        Syntax::Gnu,
        Operands::Mode,
        "-R/--recursive:deep -V -f -v=text -p=text -m/--modify=text -x=text -b",
    ),
    program("lsattr getfacl", Syntax::Gnu, Operands::Read, "-R/--recursive -a -d -l -p -v -V"),
    program(
        "tee",
        Syntax::Gnu,
        Operands::Write,
        "-a/--append -i/--ignore-interrupts -p --output-error?=text --help --version",
    ),
    program("dd", Syntax::Pairs, Operands::Unknown, ""),
    program("sync", Syntax::Gnu, Operands::Read, "-d/--data -f/--file-system --help --version"),
    program("find", Syntax::LongDash, Operands::Read, "").check(Check::Find),
    program("which", Syntax::Gnu, Operands::Text, "-a/--all -s"),
    program("whereis", Syntax::Gnu, Operands::Text, "-b -m -s -u"),
    program(
        "locate",
        Syntax::Gnu,
        Operands::Text,
        "-i/--ignore-case -c/--count -l/--limit=num -b/--basename -d/--database=read",
    ),
    program("mount umount swapon swapoff losetup", Syntax::Gnu, Operands::Unknown, "")
        .always("to see what is mounted: `df -h` or `cat /proc/mounts`"),
];
