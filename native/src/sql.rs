//! The engine's statements: files of `native/sql` with the schema's name put in place.

use crate::error::{Error, Result};

/// One statement. The name is the file's, and the one in errors.
#[derive(Debug)]
pub struct Statement {
    pub name: &'static str,
    pub text: String,
}

/// Python's client speaks it too.
const SUBMIT_HERE: &str = include_str!("../../currant_lab/database/sql/execution_submit_here.sql");

macro_rules! statements {
    ($($name:ident),* $(,)?) => {
        /// Every statement of the engine, for one schema.
        #[derive(Debug)]
        pub struct Sql {
            pub schema: String,
            $(pub $name: Statement,)*
            pub submit_here: Statement,
        }

        impl Sql {
            pub fn new(schema: &str) -> Result<Sql> {
                check_schema(schema)?;
                Ok(Sql {
                    schema: schema.to_owned(),
                    $($name: Statement {
                        name: stringify!($name),
                        text: include_str!(concat!("../sql/", stringify!($name), ".sql"))
                            .replace("-- include ending", include_str!("../sql/ending.sql"))
                            .replace("currant", schema),
                    },)*
                    submit_here: Statement { name: "submit_here", text: SUBMIT_HERE.replace("currant", schema) },
                })
            }

            /// All of them: for measuring what they cost without the engine around them.
            pub fn all(&self) -> Vec<&Statement> {
                vec![$(&self.$name),*]
            }
        }
    };
}

statements! {
    cancelling, claim, discard, goodbye, lease, lock, pin_claim, pin_keeper, pin_settle, promote, publish, reconcile, register,
    release, rescue, settle, settle_succeeded, settled, tail, tidy,
}

impl Sql {
    pub fn wake_channel(&self) -> String {
        format!("{}_wake", self.schema)
    }

    pub fn events_channel(&self) -> String {
        format!("{}_events", self.schema)
    }

    /// The first key of the schema's advisory locks, so that leased schemas of one database do not share them:
    /// FNV-1a of its name, kept positive because `pg_locks` shows the key as an oid.
    pub fn lock_key(&self) -> i32 {
        let hash =
            self.schema.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        (hash & 0x7fff_ffff) as i32
    }
}

/// The name goes into the statements' text: only what needs no quotes is let in.
fn check_schema(schema: &str) -> Result<()> {
    let mut letters = schema.chars();
    let is_first_fine = letters.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    let is_rest_fine = letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    match is_first_fine && is_rest_fine && schema.len() <= 40 {
        true => Ok(()),
        false => Err(Error::Argument(format!(
            "a schema name is 1 to 40 of a-z, 0-9 and _, not starting with a digit: {schema:?} is not"
        ))),
    }
}
