//! The settle statements.

use std::collections::HashMap;

use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::buffer::Key;
use crate::core::Core;
use crate::db::Db;
use crate::error::Result;
use crate::link::WORK_LIMIT;
use crate::outbox::{Outcome, Status};

/// Writes outcomes; returns those that counted, and how they ended.
pub async fn settle(core: &Core, db: &Db, part: &[Outcome]) -> Result<HashMap<Key, Status>> {
    let ids: Vec<Uuid> = part.iter().map(|outcome| outcome.key.0).collect();
    let tokens: Vec<i32> = part.iter().map(|outcome| outcome.key.1).collect();
    let results: Vec<Option<&[u8]>> = part.iter().map(|outcome| outcome.result.as_deref()).collect();
    let runs: Vec<i64> = part.iter().map(|outcome| outcome.run_us).collect();
    let ages: Vec<i64> = part.iter().map(|outcome| outcome.ended.elapsed().as_micros() as i64).collect();
    let sources: Vec<Option<&str>> = part.iter().map(|outcome| outcome.source.as_deref()).collect();
    core.count_statement();
    if part.iter().all(Outcome::is_plain) {
        let rows = db
            .query(
                &core.sql.settle_succeeded,
                &[
                    (&ids, Type::UUID_ARRAY),
                    (&tokens, Type::INT4_ARRAY),
                    (&results, Type::BYTEA_ARRAY),
                    (&runs, Type::INT8_ARRAY),
                    (&ages, Type::INT8_ARRAY),
                    (&sources, Type::TEXT_ARRAY),
                ],
                WORK_LIMIT,
            )
            .await?;
        return rows.iter().map(counted).collect();
    }
    let statuses: Vec<&str> = part.iter().map(|outcome| outcome.status.as_str()).collect();
    let errors: Vec<Option<&str>> = part.iter().map(|outcome| outcome.error.as_deref()).collect();
    let delays: Vec<f64> = part.iter().map(|outcome| outcome.delay).collect();
    let logs: Vec<Option<&str>> = part.iter().map(|outcome| outcome.logs.as_deref()).collect();
    let rows = db
        .query(
            &core.sql.settle,
            &[
                (&ids, Type::UUID_ARRAY),
                (&tokens, Type::INT4_ARRAY),
                (&statuses, Type::TEXT_ARRAY),
                (&results, Type::BYTEA_ARRAY),
                (&errors, Type::TEXT_ARRAY),
                (&runs, Type::INT8_ARRAY),
                (&ages, Type::INT8_ARRAY),
                (&delays, Type::FLOAT8_ARRAY),
                (&logs, Type::TEXT_ARRAY),
                (&sources, Type::TEXT_ARRAY),
            ],
            WORK_LIMIT,
        )
        .await?;
    rows.iter().map(counted).collect()
}

/// Which of these are in the books already: for when an earlier try may have been committed unheard.
pub async fn settled_before(core: &Core, db: &Db, part: &[Outcome]) -> Result<HashMap<Key, Status>> {
    let ids: Vec<Uuid> = part.iter().map(|outcome| outcome.key.0).collect();
    let tokens: Vec<i32> = part.iter().map(|outcome| outcome.key.1).collect();
    let statuses: Vec<&str> = part.iter().map(|outcome| outcome.status.as_str()).collect();
    core.count_statement();
    let rows = db
        .query_anew(
            &core.sql.settled,
            &[(&ids, Type::UUID_ARRAY), (&tokens, Type::INT4_ARRAY), (&statuses, Type::TEXT_ARRAY)],
            WORK_LIMIT,
        )
        .await?;
    rows.iter().map(counted).collect()
}

/// Removes the row of an execution whose id is finished already.
pub async fn discard(core: &Core, db: &Db, key: Key) -> Result<()> {
    core.count_statement();
    let (ids, tokens): (&[Uuid], &[i32]) = (&[key.0], &[key.1]);
    db.query_anew(&core.sql.discard, &[(&ids, Type::UUID_ARRAY), (&tokens, Type::INT4_ARRAY)], WORK_LIMIT).await?;
    Ok(())
}

fn counted(row: &tokio_postgres::Row) -> Result<(Key, Status)> {
    Ok(((row.try_get(0)?, row.try_get(1)?), Status::parse(row.try_get(2)?)?))
}
