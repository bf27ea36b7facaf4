//! Text: reading, searching, cutting.

use super::{Check, Operands, Program, Syntax, program};

const GREP: &str = "-A/--after-context=num -B/--before-context=num -C/--context=num -a/--text -b/--byte-offset --binary-files=text \
    -c/--count --color?=text --colour?=text -D/--devices=text -d/--directories=text:deep -E/--extended-regexp -e/--regexp=text:pattern \
    -F/--fixed-strings -f/--file=read:pattern -G/--basic-regexp -H/--with-filename -h/--no-filename --include=text \
    --exclude=text --exclude-dir=text --exclude-from=read -I -i/--ignore-case -y --no-ignore-case -L/--files-without-match \
    -l/--files-with-matches --label=text --line-buffered -m/--max-count=num -n/--line-number -o/--only-matching \
    -P/--perl-regexp -q/--quiet/--silent -R/--dereference-recursive:deep -r/--recursive:deep -s/--no-messages -T/--initial-tab \
    -U/--binary -u -V/--version -v/--invert-match -w/--word-regexp -x/--line-regexp -Z/--null -z/--null-data -NUM --help";
const HEAD: &str = "-c/--bytes=text -n/--lines=text -q/--quiet/--silent -v/--verbose -z/--zero-terminated -NUM --help --version";
const ZGREP: &str = "-A=num -B=num -C=num -a -b -c -E -e=text:pattern -F -f=read:pattern -G -H -h -i -L -l -m=num -n -o -q -s -v -w -x";

pub(super) const PROGRAMS: &[Program] = &[
    program("cat", Syntax::Gnu, Operands::Read, "-A/--show-all -b/--number-nonblank -e -E/--show-ends -n/--number \
        -s/--squeeze-blank -t -T/--show-tabs -u -v/--show-nonprinting --help --version"),
    program("tac", Syntax::Gnu, Operands::Read, "-b/--before -r/--regex -s/--separator=text --help --version"),
    program("nl", Syntax::Gnu, Operands::Read, "-b/--body-numbering=text -d/--section-delimiter=text -f/--footer-numbering=text \
        -h/--header-numbering=text -i/--line-increment=num -l/--join-blank-lines=num -n/--number-format=text -p/--no-renumber \
        -s/--number-separator=text -v/--starting-line-number=num -w/--number-width=num --help --version"),
    program("head", Syntax::Gnu, Operands::Read, HEAD),
    program("tail", Syntax::Gnu, Operands::Read, "-c/--bytes=text -f/--follow?=text:bare -F -n/--lines=text --max-unchanged-stats=num \
        --pid=num -q/--quiet/--silent --retry -s/--sleep-interval=num -v/--verbose -z/--zero-terminated -NUM --help --version"),
    program("grep egrep fgrep", Syntax::Gnu, Operands::Pattern, GREP),
    // Scripts that hand what they do not know to grep: only what is surely a flag of grep's that reads.
    program("zgrep zegrep zfgrep", Syntax::Gnu, Operands::Pattern, ZGREP),
    program("zcat", Syntax::Gnu, Operands::Read, "-f/--force -v/--verbose -q/--quiet --help --version"),
    program("bzcat xzcat lzcat zstdcat", Syntax::Gnu, Operands::Read, "-f/--force -k/--keep -q/--quiet -v/--verbose"),
    program("gzip gunzip bzip2 bunzip2 xz unxz lzma unlzma zstd unzstd", Syntax::Gnu, Operands::Write, "-c/--stdout/--to-stdout \
        -d/--decompress/--uncompress -f/--force -h/--help -k/--keep -l/--list -n/--no-name -N/--name -q/--quiet -r/--recursive:deep \
        -S/--suffix=text -t/--test -v/--verbose -V/--version -1 -2 -3 -4 -5 -6 -7 -8 -9 --fast --best -z/--compress \
        -T/--threads=num -o=write"),
    program("cut", Syntax::Gnu, Operands::Read, "-b/--bytes=text -c/--characters=text -d/--delimiter=text -f/--fields=text -n \
        --complement -s/--only-delimited --output-delimiter=text -z/--zero-terminated --help --version"),
    program("paste", Syntax::Gnu, Operands::Read, "-d/--delimiters=text -s/--serial -z/--zero-terminated --help --version"),
    program("tr", Syntax::Gnu, Operands::Text, "-c/-C/--complement -d/--delete -s/--squeeze-repeats -t/--truncate-set1 --help --version"),
    program("sort", Syntax::Gnu, Operands::Read, "-b/--ignore-leading-blanks -d/--dictionary-order -f/--ignore-case \
        -g/--general-numeric-sort -i/--ignore-nonprinting -M/--month-sort -h/--human-numeric-sort -n/--numeric-sort -R/--random-sort \
        --random-source=read -r/--reverse --sort=text -V/--version-sort --batch-size=num -c/--check?=text:bare -C --compress-program=text:starts \
        --debug --files0-from=read:starts -k/--key=text -m/--merge -o/--output=write -s/--stable -S/--buffer-size=text -t/--field-separator=text \
        -T/--temporary-directory=into --parallel=num -u/--unique -z/--zero-terminated --help --version"),
    program("uniq", Syntax::Gnu, Operands::Filter, "-c/--count -d/--repeated -D/--all-repeated?=text:bare -f/--skip-fields=num \
        --group?=text -i/--ignore-case -s/--skip-chars=num -u/--unique -z/--zero-terminated -w/--check-chars=num --help --version"),
    program("wc", Syntax::Gnu, Operands::Read, "-c/--bytes -m/--chars -l/--lines --files0-from=read:starts -L/--max-line-length -w/--words \
        --total=text --help --version"),
    program("comm", Syntax::Gnu, Operands::Read, "-1 -2 -3 --check-order --nocheck-order --output-delimiter=text --total \
        -z/--zero-terminated --help --version"),
    program("join", Syntax::Gnu, Operands::Read, "-1=text -2=text -a=num -e=text -i/--ignore-case -j=num -o=text -t=text -v=num \
        --check-order --nocheck-order -z/--zero-terminated --header --help --version"),
    program("diff", Syntax::Gnu, Operands::Read, "-q/--brief -s/--report-identical-files -c -C/--context=num -u -U/--unified=num \
        -e/--ed -n/--rcs -y/--side-by-side -W/--width=num -r/--recursive:deep -N/--new-file -i/--ignore-case -b/--ignore-space-change \
        -w/--ignore-all-space -B/--ignore-blank-lines -I/--ignore-matching-lines=text -a/--text --color?=text --label=text -t -T \
        -l/--paginate:starts -x/--exclude=text -X/--exclude-from=read --help --version"),
    program("cmp", Syntax::Gnu, Operands::Read, "-b/--print-bytes -i/--ignore-initial=text -l/--verbose -n/--bytes=text -s/--quiet/--silent"),
    program("column", Syntax::Gnu, Operands::Read, "-t/--table -s/--separator=text -o/--output-separator=text -N/--table-columns=text \
        -c/--output-width=num -J/--json -n=text -x -e -h/--help -V/--version"),
    program("fold fmt expand unexpand", Syntax::Gnu, Operands::Read, "-b/--bytes -s/--spaces -w/--width=num -i/--initial -t/--tabs=text -a/--all --help --version"),
    program("rev", Syntax::Gnu, Operands::Read, "-h/--help -V/--version"),
    program("od", Syntax::Gnu, Operands::Read, "-A/--address-radix=text -j/--skip-bytes=text -N/--read-bytes=text -S/--strings?=text \
        -t/--format=text -v/--output-duplicates -w/--width?=num -a -b -c -d -f -i -l -o -s -x --endian=text --help --version"),
    program("hexdump hd", Syntax::Gnu, Operands::Read, "-b -c -C -d -e=text -f=read -n=text -o -s=text -v -x -h/--help -V/--version"),
    program("xxd", Syntax::Gnu, Operands::Filter, "-a -b -c=num -e -g=num -i -l=text -o=text -p -r -s=text -u -d"),
    program("strings", Syntax::Gnu, Operands::Read, "-a/--all -d/--data -f/--print-file-name -n/--bytes=num -t/--radix=text -o \
        -e/--encoding=text -w -s=text -NUM --help"),
    program("md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum", Syntax::Gnu, Operands::Read, "-b/--binary \
        -c/--check:starts --tag -t/--text -z/--zero --ignore-missing --quiet --status --strict -w/--warn -a/--algorithm=text -r -s --help --version"),
    program("base64 base32", Syntax::Gnu, Operands::Read, "-d/--decode -i/--ignore-garbage -w/--wrap=num --help --version"),
    program("split", Syntax::Gnu, Operands::Filter, "-a/--suffix-length=num --additional-suffix=text -b/--bytes=text -C/--line-bytes=text \
        -d/--numeric-suffixes?=text:bare -x/--hex-suffixes?=text:bare -e/--elide-empty-files --filter=text:starts -l/--lines=num -n/--number=text \
        -t/--separator=text -u/--unbuffered --verbose --help --version"),
    program("csplit", Syntax::Gnu, Operands::Pattern, "-b/--suffix-format=text -f/--prefix=write -k/--keep-files -n/--digits=num -q/--quiet -z:writes"),
    program("shuf", Syntax::Gnu, Operands::Read, "-e/--echo -i/--input-range=text -n/--head-count=num -o/--output=write --random-source=read \
        -r/--repeat -z/--zero-terminated --help --version"),
    program("sed", Syntax::Gnu, Operands::Pattern, "-n/--quiet/--silent --debug -e/--expression=text:pattern -f/--file=read:pattern:starts \
        --follow-symlinks -i/--in-place?=text:writes -l/--line-length=num --posix -E/-r/--regexp-extended -s/--separate \
        --sandbox -u/--unbuffered -z/--null-data --help --version").check(Check::Sed),
    program("awk gawk mawk nawk original-awk", Syntax::Posix, Operands::Pattern, "-F/--field-separator=text -v/--assign=text \
        -f/--file=read:pattern:starts -e/--source=text:starts -E/--exec=read:starts -i/--include=text:starts -l/--load=text:starts \
        -o/--pretty-print?=write:writes -p/--profile?=write:writes -d/--dump-variables?=write:writes \
         -D?=text:starts -W=text:starts --help --version").check(Check::Awk),
    program("jq", Syntax::Gnu, Operands::Pattern, "-c/--compact-output -r/--raw-output -R/--raw-input -s/--slurp -n/--null-input \
        -e/--exit-status -a/--ascii-output -S/--sort-keys -C/--color-output -M/--monochrome-output --tab -j/--join-output --stream \
        --indent=num -f/--from-file=read:starts -L=read:starts -h/--help").check(Check::Jq),
    program("yes", Syntax::Gnu, Operands::Text, "--help --version"),
    program("echo", Syntax::Plain, Operands::Text, ""),
    program("printf", Syntax::Plain, Operands::Text, ""),
    program("true false", Syntax::Plain, Operands::Text, ""),
    program("seq", Syntax::Plain, Operands::Text, ""),
    program("numfmt", Syntax::Gnu, Operands::Text, "--debug -d/--delimiter=text --field=text --format=text --from=text --from-unit=num --grouping --header?=num --invalid=text \
        --padding=num --round=text --suffix=text --to=text --to-unit=num --unit-separator=text -z/--zero-terminated --help --version"),
    program("expr", Syntax::Plain, Operands::Text, ""),
    program("test [", Syntax::Plain, Operands::Read, ""),
    program("iconv", Syntax::Gnu, Operands::Read, "-f/--from-code=text -t/--to-code=text -c -l/--list -o/--output=write -s --help --version"),
    program("dmesg", Syntax::Gnu, Operands::Text, "-C/--clear:change -c/--read-clear:change -D/--console-off:change -E/--console-on:change \
        -F/--file=read -f/--facility=text -H/--human:starts -k/--kernel -L?=text --color?=text -l/--level=text -n/--console-level=text:change \
        -P/--nopager -r/--raw -s/--buffer-size=num -T/--ctime -t/--notime -u/--userspace -w/--follow -W/--follow-new -x/--decode -h/--help -V/--version"),
];
