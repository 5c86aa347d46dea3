//! What comes over the wire and is read by our own code: a wake-up's text, a moment, an outcome's status.
#![no_main]

use currant_native::db::Micros;
use currant_native::outbox::Status;
use currant_native::wake::Word;
use libfuzzer_sys::fuzz_target;
use tokio_postgres::types::{FromSql, Type};

fuzz_target!(|data: &[u8]| {
    if let Ok(moment) = Micros::from_sql(&Type::TIMESTAMPTZ, data) {
        assert_eq!(data.len(), 8);
        assert!(moment.0 > 0 || data[0] >= 0x80);
    }
    let text = String::from_utf8_lossy(data);
    match Word::parse(&text) {
        Word::Queue(queue) => assert_eq!(text, format!("+{queue}")),
        Word::Due => assert_eq!(text, "@"),
        Word::Cancel(_) => assert!(text.starts_with("!cancel ")),
        Word::ForOthers => {}
    }
    let _ = Status::parse(&text);
});
