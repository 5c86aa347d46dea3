"""The specification and the database side by side: whatever is done, in whatever order, both say the same.

`currant_lab.status.step` is the specification of one execution, `base.cascade` of what follows for others. The rules
run the SQL that the engine and the client run, from several pools, with tokens that are current, stale, or were never
given out.
"""

from __future__ import annotations

from hypothesis.stateful import invariant

from currant_lab.status import FINAL, Status
from tests.model.runs import Runs


class Machine(Runs):
    """All rules, and what has to be so after each of them."""

    @invariant()
    def the_books_say_what_the_model_says(self) -> None:
        self.counted[0] += 1
        rows = self.sql(
            "SELECT id, status, attempt, token, rescues, retries, cancelling, claimed_by, waits_for, NULL AS error"
            "  FROM currant.executions UNION ALL"
            " SELECT id, status, attempt, token, rescues, retries, NULL, NULL, NULL, error ->> 'type'"
            "  FROM currant.history"
        )
        found = {row["id"]: row for row in rows}
        assert len(found) == len(rows), "an execution is there twice"
        assert found.keys() == self.lives.keys()
        for id, life in self.lives.items():
            row, record = found[id], life.record
            said = (row["status"], row["attempt"], row["token"], row["rescues"], row["retries"])
            assert said == (str(record.status), record.attempt, record.token, record.rescues, record.retries), id.hex()
            if record.status not in FINAL:
                assert (row["cancelling"], row["claimed_by"]) == (record.cancelling, life.pool)
            if record.status == Status.WAITING:
                assert (row["waits_for"] or 0) == (0 if id in self.away else self.unfinished(id))
            if record.status == Status.CANCELLED:
                assert (row["error"] == "ParentFailed") == life.is_blamed

    @invariant()
    def so_do_ties_and_records(self) -> None:
        ties = self.sql("SELECT parent, child FROM currant.dependencies")
        many = self.sql("SELECT batch, child FROM currant.batch_dependencies")
        assert {tuple(row) for row in ties} == self.ties
        assert {tuple(row) for row in many} == self.many
        steps = self.sql(
            "SELECT execution, number, kind, name, child, batch, ended_at IS NOT NULL AS is_over,"
            " error IS NOT NULL AS has_error FROM currant.steps ORDER BY execution, number"
        )
        assert [tuple(row) for row in steps] == [
            (id, n, one.kind, one.name, one.child, one.batch, one.is_over, one.has_error)
            for id in sorted(self.steps) for n, one in enumerate(self.steps[id], 1)
        ]  # fmt: skip
        signals = self.sql("SELECT execution, name, value FROM currant.signals")
        assert {(row["execution"], row["name"]): row["value"] for row in signals} == self.signals

    @invariant()
    def what_is_put_away_is_found_by_what_it_awaits(self) -> None:
        singles = {tuple(row) for row in self.sql("SELECT child, run FROM currant.awaited")}
        batches = {tuple(row) for row in self.sql("SELECT batch, run FROM currant.awaited_batches")}
        for run in self.away:
            awaits = self.awaited[run]
            assert {child for child, other in singles if other == run} == awaits.singles
            assert {batch for batch, other in batches if other == run} == awaits.batches
        assert all(self.is_open(child) for child, _ in singles), "a wait has outlived what it waited for"
        assert all(any(map(self.is_open, self.members[batch])) for batch, _ in batches)
