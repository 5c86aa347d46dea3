//! What the server does for each statement when many executions wait and its statistics are of an empty table.

use currant_native::sql::Sql;

use crate::common::books::Books;

const WAITING: u32 = 1_000_000;

struct Planned {
    books: Books,
}

impl Planned {
    /// Every statement is prepared, and its generic plan made, while the table is empty: as in a pool that was there
    /// before the work, and whose plans nothing renews.
    fn open() -> Planned {
        let books = Books::open();
        books.run("ALTER TABLE currant.executions SET (autovacuum_enabled = off)");
        books.run("ANALYZE currant.executions; ANALYZE currant.queues; ANALYZE currant.pools");
        let sql = Sql::new("currant").expect("a good name");
        for (settings, name, types) in STATEMENTS {
            let statement = &sql.all().into_iter().find(|one| one.name == *name).expect("a statement").text;
            let nothing = vec!["NULL"; types.split(", ").count()].join(", ");
            books.run(&format!("{settings}; PREPARE {name} ({types}) AS {statement}"));
            books.run(&format!("EXPLAIN EXECUTE {name} ({nothing})"));
        }
        books.run(&format!(
            "SET statement_timeout = 0;  -- the settings of a statement before are those of a pool
             INSERT INTO currant.executions (id, job, queue, args)
             SELECT currant.first_id(now() + n * interval '1 ms'), 'm:f', 'q' || n % 3, '[]'
               FROM generate_series(1, {WAITING}) AS n"
        ));
        Planned { books }
    }

    fn of(&self, name: &str, arguments: &str) -> String {
        let settings = STATEMENTS.iter().find(|statement| statement.1 == name).map_or("", |statement| statement.0);
        let sql = format!(
            "{settings}; BEGIN; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE {name} ({arguments}); ROLLBACK"
        );
        let rows = self.books.rows(&sql);
        rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>().join("\n")
    }
}

fn assert_lean(plan: &str, index: &str) {
    assert!(plan.contains(index), "no {index}:\n{plan}");
    for line in plan.lines() {
        let is_small = |text: &str| !text.contains("executions");
        let is_scan = line.contains("Seq Scan on") && !is_small(line);
        assert!(!is_scan && !line.contains("Hash Join") && !line.contains("Merge Join"), "{line}\n{plan}");
        if let Some(removed) = line.trim().strip_prefix("Rows Removed by Filter: ") {
            assert!(removed.parse::<u64>().expect("a number") <= 1_000, "{line}\n{plan}");
        }
        if line.contains("(actual") && !line.contains("never executed") {
            let rows = line.split("rows=").nth(1).and_then(|rest| rest.split([' ', ')', '.']).next());
            let rows: u64 = rows.and_then(|rows| rows.parse().ok()).unwrap_or(0);
            assert!(rows <= 1_000, "more rows than asked for: {line}\n{plan}");
        }
    }
}

const PIN_CLAIM: &str = include_str!("../../sql/pin_claim.sql");
const PIN_SETTLE: &str = include_str!("../../sql/pin_settle.sql");
const PIN_KEEPER: &str = include_str!("../../sql/pin_keeper.sql");

/// (session settings, name, types of the parameters)
const STATEMENTS: &[(&str, &str, &str)] = &[
    (PIN_CLAIM, "claim", "text[], integer[], uuid[], integer[], text[], integer, boolean"),
    (PIN_CLAIM, "tail", "text[]"),
    (PIN_SETTLE, "settle", "uuid[], integer[], text[], bytea[], text[], bigint[], bigint[], float8[], text[], text[]"),
    (PIN_SETTLE, "settle_succeeded", "uuid[], integer[], bytea[], bigint[], bigint[], text[]"),
    (PIN_SETTLE, "release", "uuid[], integer[]"),
    (PIN_KEEPER, "rescue", "integer[], integer[]"),
    (PIN_KEEPER, "lease", "integer, integer, text, text, text[], integer, text[], boolean, float8, boolean"),
    (PIN_KEEPER, "promote", "integer"),
];

#[test]
fn no_statement_scans_or_sorts_the_backlog() {
    let planned = Planned::open();
    let start =
        "'{-2147483648, -2147483648}', '{00000000-0000-0000-0000-000000000000, 00000000-0000-0000-0000-000000000000}'";
    let plan = planned.of("claim", &format!("'{{q0, q1}}', {start}, '{{300, 200}}', '{{m:f}}', 1, false"));
    assert_lean(&plan, "executions_pending");
    assert!(!plan.contains("Sort"), "{plan}");

    let cursor =
        planned.books.value("SELECT id FROM currant.executions WHERE queue = 'q1' ORDER BY id OFFSET 60000 LIMIT 1");
    let from = format!("'{{q1}}', '{{0}}', '{{{cursor}}}', '{{500}}', '{{m:f}}', 1, false");
    let plan = planned.of("claim", &from);
    assert_lean(&plan, "executions_pending");
    assert!(!plan.contains("Sort"), "{plan}");

    let plan = planned.of("tail", "'{q0, q1}'");
    assert_lean(&plan, "executions_pending");
    assert!(!plan.contains("Sort"), "{plan}");

    planned.books.run(
        "UPDATE currant.executions SET status = 'running', token = 1, attempt = 1, claimed_by = 5, claimed_at = now()
          WHERE id IN (SELECT id FROM currant.executions WHERE queue = 'q2' ORDER BY id LIMIT 400)",
    );
    let ids = planned.books.value("SELECT array_agg(id ORDER BY id) FROM currant.executions WHERE status = 'running'");
    let all = |value: &str| format!("array_fill({value}, ARRAY[400])");
    let settle = format!(
        "'{ids}', {}, {}, {}, {}, {}, {}, {}, {}, {}",
        all("1"),
        all("'succeeded'::text"),
        all("'1'::bytea"),
        all("NULL::text"),
        all("5::bigint"),
        all("5::bigint"),
        all("0::float8"),
        all("NULL::text"),
        all("NULL::text"),
    );
    let plan = planned.of("settle", &settle);
    assert_lean(&plan, "executions_pkey");

    let five = all("5::bigint");
    let plain = format!("'{ids}', {}, {}, {five}, {five}, {}", all("1"), all("'1'::bytea"), all("NULL::text"));
    let plan = planned.of("settle_succeeded", &plain);
    assert_lean(&plan, "executions_pkey");

    let release = format!("'{ids}', {}", all("1"));
    let plan = planned.of("release", &release);
    assert_lean(&plan, "executions_pkey");

    planned.books.run(
        "INSERT INTO currant.pools (id, name, kind, host, boot_id, pid, pid_started, version, queues, workers)
        OVERRIDING SYSTEM VALUE VALUES (5, 'x', 'script', 'h', 'b', 1, 1, '0', '{}', 1)",
    );
    let plan = planned.of("rescue", "'{5}', '{}'");
    assert_lean(&plan, "executions_running");

    let plan = planned.of("lease", "1, 1, 'h', 'b', '{m:f}', 1, '{q0, q1}', true, 120, true");
    assert_lean(&plan, "executions_pending");
    assert!(plan.contains("executions_cancelling") && plan.contains("executions_scheduled"), "{plan}");

    planned
        .books
        .run("UPDATE currant.executions SET status = 'scheduled', due_at = now() + interval '1 h' WHERE queue = 'q0'");
    let plan = planned.of("promote", "1");
    assert_lean(&plan, "executions_scheduled");
}
