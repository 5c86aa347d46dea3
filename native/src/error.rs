//! The one error of the engine, and what each kind of it means for the statement that met it.

use tokio_postgres::error::SqlState;

pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong. `python::errors` maps each variant to a Python exception.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, or the server refuses what is needed. The text says what to do.
    #[error("{0}")]
    Unavailable(String),
    /// The schema is missing or older than this code.
    #[error("{0}")]
    SchemaOutdated(String),
    /// The caller's own mistake.
    #[error("{0}")]
    Argument(String),
    /// The server took longer than `seconds` over a statement.
    #[error("the database did not answer '{statement}' within {seconds} s")]
    Timeout { statement: &'static str, seconds: u64 },
    /// The server refused a statement, or the connection broke under it.
    #[error("{}", describe(.0))]
    Database(#[from] tokio_postgres::Error),
    /// The operating system refused something the engine needs.
    #[error("{what}: {error}")]
    System { what: &'static str, error: std::io::Error },
}

/// What to do about an error of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The connection is gone or not to be trusted: connect anew, then look what became of it.
    Reconnect,
    /// Another transaction was in the way: try the same again.
    Again,
    /// One of the values can't be stored: find it and set it apart.
    Bisect,
    /// The server says no for reasons of its own (disk full, a missing right): wait, then try again.
    Wait,
}

impl Error {
    pub fn remedy(&self) -> Remedy {
        match self {
            Error::Database(error) => remedy_of(error),
            Error::Timeout { .. } | Error::Unavailable(_) => Remedy::Reconnect,
            Error::SchemaOutdated(_) | Error::Argument(_) | Error::System { .. } => Remedy::Wait,
        }
    }

    /// Wraps an error of the first statements, where a missing table means a missing or old schema.
    pub fn of_start(error: Error) -> Error {
        let Error::Database(inner) = &error else {
            return error;
        };
        match inner.code() {
            Some(
                &SqlState::UNDEFINED_TABLE
                | &SqlState::UNDEFINED_COLUMN
                | &SqlState::UNDEFINED_FUNCTION
                | &SqlState::INVALID_SCHEMA_NAME,
            ) => Error::SchemaOutdated(format!("{error}. Run `currant migrate` on this database")),
            Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => Error::Unavailable(format!(
                "{error}: this server is a read-only replica. Name the primary, or add target_session_attrs=read-write"
            )),
            _ => Error::Unavailable(error.to_string()),
        }
    }
}

fn remedy_of(error: &tokio_postgres::Error) -> Remedy {
    let Some(code) = error.code() else {
        // Without a SQLSTATE: the connection closed, or a value could not even be sent (too large).
        return match is_too_large(error) {
            true => Remedy::Bisect,
            false => Remedy::Reconnect,
        };
    };
    match code {
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::LOCK_NOT_AVAILABLE => {
            Remedy::Again
        }
        code => match code.code().get(..2) {
            // Data exception, integrity constraint, program limit (a jsonb that grew too large).
            Some("22" | "23" | "54") => Remedy::Bisect,
            // Connection exception, operator intervention (terminated, shutdown, cancelled), a prepared statement that is
            // gone or no longer fits the table.
            Some("08" | "57" | "26" | "0A") => Remedy::Reconnect,
            _ => Remedy::Wait,
        },
    }
}

fn is_too_large(error: &tokio_postgres::Error) -> bool {
    // The protocol's lengths are 32-bit: the encoder refuses what does not fit before anything is sent.
    !error.is_closed()
        && std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<std::io::Error>())
            .is_some_and(|source| source.kind() == std::io::ErrorKind::InvalidInput)
}

/// The server's own words with its SQLSTATE, or the whole chain of causes: `Display` of the driver's
/// error alone says no more than "db error".
pub fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        let detail = db.detail().map(|text| format!(" ({text})")).unwrap_or_default();
        return format!("{}{detail} [SQLSTATE {}]", db.message(), db.code().code());
    }
    chain(error)
}

/// An error with its causes, innermost last, without saying anything twice.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}
