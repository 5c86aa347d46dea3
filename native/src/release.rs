//! Giving claims back.

use std::time::Duration;

use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::buffer::Key;
use crate::core::Core;
use crate::db::Db;
use crate::error::Result;

/// Gives claimed but unstarted executions back and counts them. Those whose claim is gone already are left alone.
pub async fn release(core: &Core, db: &Db, keys: &[Key], limit: Duration) -> Result<usize> {
    if keys.is_empty() {
        return Ok(0);
    }
    let (ids, tokens): (Vec<Uuid>, Vec<i32>) = keys.iter().copied().unzip();
    core.count_statement();
    let rows =
        db.query_anew(&core.sql.release, &[(&ids, Type::UUID_ARRAY), (&tokens, Type::INT4_ARRAY)], limit).await?;
    Ok(rows.len())
}
