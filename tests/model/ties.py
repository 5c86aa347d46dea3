"""Executions that wait for others, alone and by the map; and what is forgotten with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import multiple, rule

from currant_lab.database.statements import in_schema, statement
from currant_lab.ids import new_ids
from currant_lab.loop import background
from currant_lab.status import Record, Status
from tests.model.base import JOB, LATER_S, QUEUES, Base, Life

ids, batches = Base.ids, Base.batches

COPY = """
INSERT INTO currant.executions (id, job, queue, priority, status, retries, batch, args)
SELECT u.id, $2, $3, 0, u.status, 0, $5, '[]' FROM unnest($1::uuid[], $4::text[]) AS u (id, status)
"""


class Ties(Base):
    """A client that submits executions with handles in their arguments, or in `after=`: in SQL that is the same."""

    @rule(
        target=ids,
        parents=st.lists(ids, max_size=3, unique=True),
        maps=st.lists(batches, max_size=1),
        queue=st.sampled_from(QUEUES),
        delay=st.sampled_from((0.0, 0.0, LATER_S)),
    )
    def submit_tied(self, parents: list[bytes], maps: list[int], queue: str, delay: float) -> Any:
        if not (parents or maps):
            return multiple()
        (id,) = new_ids(1)
        spans = [(id, self.members[b][0], self.members[b][-1], len(self.members[b])) for b in maps]
        many, firsts, lasts, sizes = ([span[n] for span in spans] for n in range(4))
        refused = self.own(
            "execution_submit_tied", id, JOB, queue, 0, 0, None, delay, None, b"[]", [id] * len(parents), parents,
            many, firsts, lasts, sizes,
        )  # fmt: skip
        is_known = all(parent in self.lives for parent in parents) and all(map(self._is_whole, maps))
        assert [row["child"] for row in refused] == ([] if is_known else [id])
        if not is_known:
            return multiple()
        self._written(id, queue, parents, maps, is_late=bool(delay), is_new=True)
        self.cascade()
        return id

    @rule(target=ids, id=ids, parents=st.lists(ids, max_size=2, unique=True))
    def submit_tied_again(self, id: bytes, parents: list[bytes]) -> Any:
        """An answer got lost: nothing happens while the row is there."""
        if self.is_open(id):
            n = len(parents)
            rows = self.own(
                "execution_submit_tied", id, JOB, "one", 0, 0, None, 0.0, None, b"[]", [id] * n, parents, [], [], [], []
            )
            assert rows == []
        return multiple()

    @rule(target=batches, count=st.integers(1, 4), parents=st.lists(ids, max_size=3), queue=st.sampled_from(QUEUES))
    def submit_map(self, count: int, parents: list[bytes], queue: str) -> Any:
        """Of a map some wait for others, and some don't: all of it is there, or nothing."""
        tied = parents[:count]
        batch, made = background.run(self._map(count, tied, queue))
        assert (batch is not None) == all(parent in self.lives for parent in tied)
        if batch is None:
            return multiple()
        self._take_map(batch, made, queue, tied)
        self.cascade()
        return batch

    @rule(target=ids, batch=batches)
    def take_from_a_map(self, batch: int) -> Any:
        return multiple(*self.members[batch][:2])

    async def _map(
        self, count: int, tied: list[bytes], queue: str, finish: Any = None
    ) -> tuple[int | None, list[bytes]]:
        made = new_ids(count)
        statuses = ["waiting"] * len(tied) + ["pending"] * (count - len(tied))
        transaction = self.conn.transaction()
        await transaction.start()
        (row,) = await self.conn.fetch(statement("batch_open", self.schema), JOB)
        batch: int = row["id"]
        await self.conn.execute(in_schema(COPY, self.schema), made, JOB, queue, statuses, batch)
        await self.conn.execute(statement("batch_extend", self.schema), batch, made[0], made[-1], count)
        is_fine = finish is None or await finish(batch)
        if tied:
            refused = await self.conn.fetch(
                statement("executions_tie", self.schema), made[: len(tied)], tied, [], [], [], []
            )
            is_fine = is_fine and not refused
        if not is_fine:
            await transaction.rollback()
            return None, []
        await transaction.commit()
        return batch, made

    def _take_map(self, batch: int, made: list[bytes], queue: str, tied: list[bytes]) -> None:
        self.members[batch] = made
        for n, id in enumerate(made):
            self._written(id, queue, tied[n : n + 1], [], is_new=n < len(tied))

    def _written(
        self, id: bytes, queue: str, parents: list[bytes], maps: list[int], *, is_new: bool, is_late: bool = False
    ) -> None:
        self.lives[id] = Life(Record(Status.WAITING if is_new else Status.PENDING), queue, 0, is_late=is_late)
        self.ties |= {(parent, id) for parent in parents}
        self.many |= {(batch, id) for batch in maps}

    def _is_whole(self, batch: int) -> bool:
        return all(id in self.lives for id in self.members[batch])

    @rule()
    def prune_what_hangs_on_nothing(self) -> None:
        """Ties and records go with the executions they belong to."""
        self.own("prune_batches", datetime.now(UTC) + timedelta(hours=1))
        self.ties = {(parent, child) for parent, child in self.ties if child in self.lives}
        self.many = {(batch, child) for batch, child in self.many if child in self.lives}
        for id in [id for id in self.steps if id not in self.lives]:
            del self.steps[id]
        self.signals = {key: value for key, value in self.signals.items() if key[0] in self.lives}
