//! Functions and tables of databases by their names: which reach out of the data, and which of those that are called are
//! known not to.
//!
//! Where it ends: a function that somebody wrote for their own server may do anything, whatever it is called. What holds
//! then is what the database lets the person's role do.

/// What a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Postgres,
    Mysql,
    Sqlite,
}

/// Beginnings of names that reach out of the database, or undo what makes a session read-only: tables, too.
const ANYWHERE: &str = "pg_read_ pg_ls_ pg_stat_file lo_ dblink set_config pg_terminate pg_cancel pg_reload pg_rotate pg_switch pg_create pg_drop pg_promote \
    pg_wal_replay pg_logical_ pg_replication_ pg_advisory pg_file_ pg_sleep query_to_xml table_to_xml schema_to_xml database_to_xml cursor_to_xml nextval setval \
    load_file load_extension readfile writefile edit fts3_tokenizer sys_e \
    fsdir lsdir zipfile sha1_query sha3_query sqlite_dbpage sqlite_dbptr shell_";

/// Beginnings of names of functions that do so: run the text they are given, wait, lock, ask other machines.
const CALLED: &str = "ts_stat ts_rewrite crosstab connectby xpath_table binary_upgrade brin_ gin_clean http net_http aws_ \
    sleep benchmark get_lock release_lock release_all_locks master_pos_wait master_gtid_wait source_pos_wait wait_for_executed_gtid_set wait_until_sql_thread_after_gtids \
    sys_ lib_mysqludf keyring_ asynchronous_connection_ group_replication_ service_ audit_log_ version_tokens_ mysql_firewall flush_ \
    usleep eval sha1 sha3 lsmode optimize sqlite_log";

/// Of PostgreSQL's own functions (`pg_…`), beginnings of those that only tell.
const POSTGRES: &str = "pg_size_ pg_database_size pg_table_size pg_relation_size pg_total_relation_size pg_indexes_size pg_tablespace_size pg_column_ \
    pg_get_ pg_is_ pg_current_ pg_last_ pg_wal_lsn_diff pg_walfile_name pg_typeof pg_backend_pid pg_blocking_pids pg_safe_snapshot_blocking_pids pg_postmaster_start_time \
    pg_conf_load_time pg_encoding_to_char pg_char_to_encoding pg_client_encoding pg_my_temp_schema pg_lock_status pg_isolation_test \
    pg_stat_get_ pg_stat_statements pg_relation_ pg_filenode_relation pg_describe_object pg_identify_object pg_index_column_has_property pg_index_has_property \
    pg_indexam_has_property pg_options_to_table pg_partition_ pg_tablespace_databases pg_tablespace_location pg_timezone_ pg_trigger_depth pg_xact_ pg_snapshot_ \
    pg_visible_in_snapshot pg_settings_get_flags pg_input_ pg_collation_ pg_control_ pg_available_ pg_config pg_cursor pg_prepared_ pg_show_all_settings \
    pg_sequence_parameters pg_function_is_visible pg_table_is_visible pg_type_is_visible pg_operator_is_visible pg_opclass_is_visible pg_opfamily_is_visible \
    pg_conversion_is_visible pg_statistics_obj_is_visible pg_ts_ pg_has_role pg_buffercache pg_listening_channels pg_notification_queue_usage pg_jit_available";
/// And what these beginnings let through too much.
const POSTGRES_BUT: &str =
    "pg_stat_statements_reset pg_buffercache_evict pg_get_wal_ pg_get_backend_memory pg_relation_filepath";

/// SQLite's functions that only compute, and what stands before a bracket without being a function. Here the client is the
/// database, and its functions are the container's: what is not named is refused.
const SQLITE: &str = "abs acos acosh asin asinh atan atan2 atanh avg bm25 ceil ceiling changes char coalesce concat concat_ws cos cosh count cume_dist current_date \
    current_time current_timestamp date datetime decimal decimal_add decimal_cmp decimal_mul decimal_sub decimal_sum degrees dense_rank exp first_value floor format \
    generate_series glob group_concat hex highlight ieee754 ifnull iif instr json json_array json_array_length json_each json_error_position json_extract json_group_array \
    json_group_object json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set json_tree json_type json_valid jsonb julianday lag last_insert_rowid \
    last_value lead length like likelihood likely ln log log10 log2 lower ltrim max median min mod nth_value ntile nullif octet_length percent_rank pi pow power printf quote radians \
    random randomblob rank regexp replace round row_number rtrim sign sin sinh snippet soundex sqlite_compileoption_get sqlite_compileoption_used sqlite_source_id \
    sqlite_version sqrt strftime string_agg substr substring subtype sum tan tanh time timediff total total_changes trim trunc typeof unhex unicode unistr unixepoch unlikely upper zeroblob \
    pragma_table_info pragma_table_xinfo pragma_table_list pragma_index_list pragma_index_info pragma_index_xinfo pragma_foreign_key_list pragma_database_list \
    pragma_collation_list pragma_function_list pragma_module_list pragma_pragma_list pragma_compile_options pragma_integrity_check pragma_quick_check pragma_foreign_key_check \
    all and as between by case cast collate distinct else end escape except exists explain filter from group having in intersect is isnull join left limit match materialized \
    not notnull offset on or order over partition range rows select then union using values when where with \
    decimal numeric varchar nvarchar character";

fn begins(table: &str, word: &str) -> bool {
    table.split_whitespace().any(|name| word.starts_with(name))
}

/// Why a name may not stand in a statement; `called`: a bracket follows it.
pub(super) fn reaches_out(engine: Engine, word: &str, called: bool) -> Option<String> {
    if begins(ANYWHERE, word) || called && begins(CALLED, word) {
        return Some(format!("has `{word}`, which reaches out of the database"));
    }
    let known = match engine {
        Engine::Mysql => true,
        Engine::Postgres => !word.starts_with("pg_") || begins(POSTGRES, word) && !begins(POSTGRES_BUT, word),
        Engine::Sqlite => SQLITE.split_whitespace().any(|name| name == word),
    };
    (called && !known).then(|| format!("calls `{word}`, which is not known only to tell"))
}
