//! Statements that read, and those that could do more.

use super::functions::Engine::{Mysql, Postgres, Sqlite};
use super::{describe, plain_database, writes};

#[test]
fn statements_that_read_are_let_through() {
    for fine in [
        "select 1",
        "SELECT * FROM pg_stat_activity WHERE state <> 'idle';",
        "explain select 1",
        "show work_mem",
        "show create table t",
        "values (1)",
        "table t",
        "with a as (select 1) select * from a",
        "select 'drop table x; --'' ok'",
        "select count(*) from \"Orders\"",
        "select updated_at, deleted from t",
        "explain (format json) select 1",
    ] {
        let expected = fine.contains("--").then(|| "has a comment".to_owned());
        assert_eq!(writes(fine, Postgres), expected, "{fine}");
    }
}

#[test]
fn statements_that_could_change_something_are_not() {
    for bad in [
        "",
        ";",
        "delete from t",
        "select 1; drop table t",
        "with a as (delete from t returning *) select * from a",
        "copy t to program 'id'",
        "select * into x from t",
        "SELECT pg_read_file('/etc/passwd')",
        "select \"pg_read_file\"('x')",
        "select lo_export(1,'/tmp/x')",
        "select set_config('a','b',false)",
        "explain analyze delete from t",
        "select 1 \\g |id",
        "select 1 /* x */",
        "select 1 -- x",
        "select $$;$$",
        "select 'x",
        "do $$ begin end $$",
        "set role admin",
        "select load_extension('x')",
        "select 1 into outfile '/tmp/x'",
        "select pg_sleep(1000)",
        "call f()",
        "pragma writable_schema=1",
        "select 1 as \"'\", pg_read_file(chr(47)) as \"'\"",
        "select \"'\", load_file(0x2f), \"'\"",
        "select 1 as `'`, load_file(0x2f) as `'`",
        "select U&\"!0070g_read_file\" uescape '!' (chr(47))",
        "select 1$$'$$",
    ] {
        assert!(writes(bad, Postgres).is_some(), "{bad}");
    }
}

#[test]
fn a_function_that_runs_its_text_or_is_not_known_only_to_tell_is_not_let_through() {
    for bad in [
        "select * from ts_stat('select to_tsvector(pg_read_file(''/etc/passwd''))')",
        "select ts_rewrite('a'::tsquery, 'select 1')",
        "select pg_stat_reset()",
        "select \"pg_stat_reset\"()",
        "select pg_catalog . pg_backup_start ('x')",
        "select pg_notify('a', 'b')",
        "select 1 from (select 1) recursive, pg_stat_reset()",
        "select pg_try_advisory_lock(1)",
        "select pg_export_snapshot()",
        "select pg_stat_statements_reset()",
        "select pg_log_backend_memory_contexts(1)",
        "select pg_start_backup\n('x')",
        "select http_get('http://169.254.169.254/')",
    ] {
        assert!(writes(bad, Postgres).is_some(), "{bad}");
    }
    for fine in [
        "select pg_size_pretty(pg_total_relation_size('orders'))",
        "select pid, pg_blocking_pids(pid), query from pg_stat_activity",
        "select pg_get_viewdef('v'::regclass)",
        "select http_status, count(*) from requests group by 1",
        "with recursive c(x) as (select 1) select x::numeric(10,2) from c where x in (1, 2)",
        "select 0x10, 1e5, 12",
    ] {
        assert_eq!(writes(fine, Postgres), None, "{fine}");
    }
}

#[test]
fn mysql_waits_for_nothing_locks_nothing_and_reads_no_files() {
    for bad in [
        "select get_lock('a', 100)",
        "select sleep(1000)",
        "select benchmark(1000000000, 1)",
        "select `load_file`(0x2f)",
        "show tables where load_file(0x2f)",
        "select 1.eload_file(0x2f)",
        "select .1eload_file(0x2f)",
        "select 1load_file(0x2f)",
        "set statement tx_read_only=0 for select 1",
        "analyze table t",
        "select 1 as `\u{20ac}`, '`, load_file(0x2f), 1 as `\u{20ac}`, '` , 1 as `\u{20ac}`x`",
    ] {
        assert!(writes(bad, Mysql).is_some(), "{bad}");
    }
    for fine in [
        "select count(*), 1.5 from orders t1 where t1.id > 2",
        "show full processlist",
        "select `a` from `Stra\u{df}e 1`",
    ] {
        assert_eq!(writes(fine, Mysql), None, "{fine}");
    }
}

#[test]
fn in_sqlite_only_functions_that_compute_are_called() {
    for bad in [
        "select edit('x')",
        "select 1 as ['], readfile(char(47)) as [']",
        "select [readfile](char(47))",
        "select writefile('a','b')",
        "select data from fsdir('/etc/shadow')",
        "select data from fsdir where path = '/etc/shadow'",
        "select sha3_query('select writefile(''/tmp/x'', 1)')",
        "select * from zipfile('/tmp/x')",
        "select somebodys_own('x')",
        "select \"somebodys own\" ('x')",
        "select a.b('x')",
        "with a as (select 1), fsdir(x) as (select 1) select 1",
    ] {
        assert!(writes(bad, Sqlite).is_some(), "{bad}");
    }
    for fine in [
        "select count(*), max(length(name)) from sqlite_master where type in ('table', 'view')",
        "with recursive n(x) as (values (1) union all select x + 1 from n where x < 9) select x from n",
        "select * from pragma_table_info('orders')",
        "select cast(a as decimal(10,2)) from t where exists (select 1)",
        "select [order id] from [my orders]",
    ] {
        assert_eq!(writes(fine, Sqlite), None, "{fine}");
    }
}

#[test]
fn of_psqls_own_commands_only_those_that_describe_are_let_through() {
    for fine in ["\\dt", "\\d+ public.orders", "\\l", "\\conninfo", "\\dt *.*"] {
        assert_eq!(describe(fine), Some(None), "{fine}");
    }
    for bad in [
        "\\! id",
        "\\o |id",
        "\\dt `id`",
        "\\copy t to x",
        "\\i x",
        "\\x",
        "\\dt :x",
        "\\d\\! id",
        "\\set x `id`",
        "\\w x",
        "\\edit",
        "\\gexec",
    ] {
        assert!(matches!(describe(bad), Some(Some(_))), "{bad}");
    }
    assert_eq!(describe("select 1"), None);
}

#[test]
fn a_database_is_a_name_and_not_settings() {
    assert!(plain_database("orders") && plain_database("postgres://app@db:5432/orders"));
    for bad in [
        "options=-cdefault_transaction_read_only=off",
        "dbname=x",
        "postgres://db/x?options=-c",
        "service=x y",
    ] {
        assert!(!plain_database(bad), "{bad}");
    }
}
