//! Database clients. What they are asked is looked at as well (`check/sql`, `check/redis`).

use super::{Check, Operands, Program, Syntax, program};

pub(super) const PROGRAMS: &[Program] = &[
    program("psql", Syntax::Gnu, Operands::Text, "-c/--command=text -d/--dbname=text -f/--file=read:starts -l/--list -v/--set/--variable=text:starts \
        -V/--version -X/--no-psqlrc -1/--single-transaction -?/--help?=text -a/--echo-all -b/--echo-errors -e/--echo-queries -E/--echo-hidden \
        -L/--log-file=write -n/--no-readline -o/--output=write:starts -q/--quiet -s/--single-step -S/--single-line -A/--no-align --csv \
        -F/--field-separator=text -H/--html -P/--pset=text:starts -R/--record-separator=text -t/--tuples-only -T/--table-attr=text -x/--expanded \
        -z/--field-separator-zero -0/--record-separator-zero -h/--host=text -p/--port=num -U/--username=text -w/--no-password -W/--password")
    .check(Check::Psql),
    program("pg_isready", Syntax::Gnu, Operands::Text, "-d/--dbname=text -q/--quiet -V/--version -?/--help -h/--host=text -p/--port=num -t/--timeout=num -U/--username=text"),
    program("pg_dump pg_dumpall", Syntax::Gnu, Operands::Text, "-a/--data-only -b/--large-objects -B -c/--clean -C/--create -d/--dbname=text -E/--encoding=text -f/--file=write -F/--format=text \
        -h/--host=text -j/--jobs=num -n/--schema=text -N/--exclude-schema=text -O/--no-owner -p/--port=num -s/--schema-only -t/--table=text -T/--exclude-table=text -U/--username=text \
        -v/--verbose -V/--version -w/--no-password -W/--password -x/--no-privileges -Z/--compress=text --column-inserts --inserts --if-exists --no-comments -g/--globals-only -r/--roles-only"),
    program("pg_restore createdb dropdb createuser dropuser vacuumdb reindexdb pg_ctl initdb postgres pgbench pg_basebackup", Syntax::Gnu, Operands::Unknown, "").always(
        "to look at data: `psql -c 'SELECT …'`",
    ),
    program("mysql mariadb", Syntax::Gnu, Operands::Text, "-?/--help -e/--execute=text -h/--host=text -P/--port=num -u/--user=text -p/--password?=secret -D/--database=text -S/--socket=read \
        -B/--batch -s/--silent -N/--skip-column-names -t/--table -E/--vertical -H/--html -X/--xml -r/--raw -A/--no-auto-rehash -C/--compress -v/--verbose -V/--version --ssl-mode=text --connect-timeout=num \
        --default-character-set=text --protocol=text --pager?=text:starts --tee=write:starts --init-command=text:starts --defaults-file=read:starts --defaults-extra-file=read:starts --plugin-dir=read:starts \
        --local-infile?=text:starts -w/--wait -q/--quick -f/--force -n/--unbuffered --binary-mode --column-names --safe-updates").check(Check::Mysql),
    program("mysqldump mariadb-dump", Syntax::Gnu, Operands::Text, "-h/--host=text -P/--port=num -u/--user=text -p/--password?=secret -r/--result-file=write -T/--tab=into -d/--no-data -B/--databases -A/--all-databases \
        --single-transaction --routines --triggers -q/--quick --where=text --tables --ignore-table=text -t/--no-create-info -S/--socket=read"),
    program("mysqladmin mariadb-admin mysqlimport mysqlcheck mysqld mysqlsh", Syntax::Gnu, Operands::Unknown, "").always("to look: `mysql -e 'SHOW PROCESSLIST'`"),
    program("redis-cli valkey-cli", Syntax::Posix, Operands::Text, "-h=text -p=num -s=read -a/--pass=secret --user=text -u=secret -r=num -i=text -n=num -2 -3 -x:starts -X=text:starts -d=text -D=text -c -e --tls --sni=text \
        --cacert=read --cacertdir=read --cert=read --key=read --insecure --raw --no-raw --csv --json --quoted-json --stat --latency --latency-history --latency-dist --lru-test=num:change \
        --replica:starts --slave:starts --rdb=write --functions-rdb=write --pipe:starts --bigkeys --memkeys --hotkeys --scan --pattern=text --count=num --intrinsic-latency=num --eval=read:starts --ldb:starts \
        --cluster=text:starts --verbose --no-auth-warning --askpass --help --version -t=num").check(Check::Redis),
    program("redis-server redis-benchmark redis-sentinel", Syntax::Gnu, Operands::Unknown, "").always("to look: `redis-cli INFO`"),
    program("sqlite3", Syntax::LongDash, Operands::Text, "-A=text:starts -append:starts -ascii -bail -batch -box -cmd=text:starts -column -csv -echo -header -noheader -help -html -init=read:starts -interactive:starts -json \
        -line -list -markdown -newline=text -nofollow -nullvalue=text -quote -readonly -safe -separator=text -stats -table -tabs -unsafe-testing:starts -version -vfs=text:starts -zip:starts").check(Check::Sqlite),
    program("mongosh mongo mongodump mongorestore mongoexport mongoimport mongostat mongotop mongod", Syntax::Gnu, Operands::Unknown, "").always(
        "what it is given is JavaScript, which can do anything; ask the application, or for a tunnel to the database",
    ),
    program("clickhouse clickhouse-client cqlsh influx etcdctl consul vault kafka-console-consumer.sh kafka-topics.sh sqlplus", Syntax::Gnu, Operands::Unknown, "").always(
        "ask for a tunnel to it",
    ),
];
