//! Both engines have the same tables.

use std::collections::BTreeSet;

use super::Store;

/// Everything there is, in one line each.
async fn described(store: &Store, sql: &str) -> BTreeSet<String> {
    store.open().await.close().await;
    store.raw().await.texts(sql).await.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_have_the_same_tables_columns_and_keys() {
    // Booleans are integers in SQLite. Part of a strict table's primary key is never null.
    let sqlite = described(
        &Store::sqlite(),
        "SELECT tables.name || '.' || columns.name || ' ' || replace(replace(columns.type, 'INTEGER', 'NUMBER'), 'BLOB', 'BYTES') \
         || CASE WHEN columns.\"notnull\" OR columns.pk > 0 THEN ' NOT NULL' ELSE '' END \
         || CASE WHEN columns.pk > 0 THEN ' KEY ' || columns.pk ELSE '' END \
         FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns \
         WHERE tables.type = 'table' AND tables.name NOT LIKE '_sqlx%' AND tables.name NOT LIKE 'sqlite%'",
    )
    .await;
    let mut postgres = described(
        &Store::postgres().await,
        "SELECT c.table_name || '.' || c.column_name || ' ' \
         || CASE c.data_type WHEN 'bigint' THEN 'NUMBER' WHEN 'boolean' THEN 'NUMBER' WHEN 'bytea' THEN 'BYTES' ELSE upper(c.data_type) END \
         || CASE WHEN c.is_nullable = 'NO' THEN ' NOT NULL' ELSE '' END \
         || coalesce(' KEY ' || k.ordinal_position, '') \
         FROM information_schema.columns AS c LEFT JOIN (information_schema.key_column_usage AS k \
         JOIN information_schema.table_constraints AS t USING (constraint_schema, constraint_name, table_name)) \
         ON t.constraint_type = 'PRIMARY KEY' AND k.constraint_schema = c.table_schema \
         AND k.table_name = c.table_name AND k.column_name = c.column_name \
         WHERE c.table_schema = current_schema() AND c.table_name NOT LIKE '\\_sqlx%'",
    )
    .await;
    // SQLite's gateways queue on a file.
    assert!(postgres.remove("turn.one NUMBER NOT NULL KEY 1"), "{postgres:?}");
    let apart: Vec<_> = sqlite.symmetric_difference(&postgres).collect();
    assert!(sqlite.len() > 100 && apart.is_empty(), "{apart:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_have_the_same_indexes_and_uniqueness() {
    let sqlite = described(
        &Store::sqlite(),
        "SELECT tables.name || ': ' || (SELECT group_concat(name, ', ' ORDER BY seqno) FROM pragma_index_info(indexes.name)) \
         || CASE WHEN indexes.\"unique\" THEN ' UNIQUE' ELSE '' END || CASE WHEN indexes.partial THEN ' PARTIAL' ELSE '' END \
         FROM sqlite_schema AS tables JOIN pragma_index_list(tables.name) AS indexes \
         WHERE tables.type = 'table' AND indexes.origin <> 'pk' AND tables.name NOT LIKE '_sqlx%'",
    )
    .await;
    let postgres = described(
        &Store::postgres().await,
        "SELECT i.indrelid::regclass::text || ': ' || string_agg(a.attname, ', ' ORDER BY k.place) \
         || CASE WHEN i.indisunique THEN ' UNIQUE' ELSE '' END || CASE WHEN i.indpred IS NOT NULL THEN ' PARTIAL' ELSE '' END \
         FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) \
         JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
         WHERE c.relnamespace = current_schema()::regnamespace AND NOT i.indisprimary \
         GROUP BY i.indexrelid, i.indrelid, i.indisunique, i.indpred IS NOT NULL",
    )
    .await;
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_compared_by_their_bytes_on_postgresql() {
    let others = described(
        &Store::postgres().await,
        "SELECT table_name || '.' || column_name FROM information_schema.columns \
         WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' \
         AND table_name NOT LIKE '\\_sqlx%'",
    )
    .await;
    assert!(others.is_empty(), "{others:?}");
}
