"""What the machine knows of each execution, and how one thing follows from another: the part that is no SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from hypothesis.stateful import Bundle, RuleBasedStateMachine

from currant_lab.database.statements import in_schema, statement
from currant_lab.loop import background
from currant_lab.status import FINAL, Action, Record, Status, step
from tests.client.conftest import native

JOB = "model"
QUEUES = ("one", "two")
LATER_S = 3_600.0


class Claim(NamedTuple):
    """What a pool was given: good until the execution's token is another."""

    id: bytes
    token: int


class Life(NamedTuple):
    """What the model knows of one execution beside its record.

    Attributes:
        is_late: it is not due yet, should what it waits for be there.
        is_blamed: it was cancelled for a parent's sake.
    """

    record: Record
    queue: str
    priority: int
    pool: int | None = None
    is_late: bool = False
    is_blamed: bool = False


@dataclass
class Step:
    """A step of a run.

    Attributes:
        due: the end of a sleep or the latest of an event: None, "later" or "past".
        is_own: it was not begun by the run that this one was forked from.
    """

    kind: str
    name: str
    child: bytes | None = None
    batch: int | None = None
    due: str | None = None
    is_over: bool = False
    has_error: bool = False
    is_own: bool = True


@dataclass
class Awaits:
    """What brings a run back that is put away."""

    singles: set[bytes] = field(default_factory=set)
    batches: set[int] = field(default_factory=set)


class Base(RuleBasedStateMachine):
    """Lives, ties and records, and `cascade`: what follows from what has just happened."""

    pools = Bundle("pools")
    ids = Bundle("ids")
    batches = Bundle("batches")

    def __init__(self, conn: Any, schema: str, counted: list[int]) -> None:
        super().__init__()
        self.conn, self.schema, self.counted = conn, schema, counted
        self.lives: dict[bytes, Life] = {}
        self.given: list[Claim] = []
        self.ties: set[tuple[bytes, bytes]] = set()  # parent, child
        self.many: set[tuple[int, bytes]] = set()  # batch, child
        self.members: dict[int, list[bytes]] = {}  # of batches
        self.steps: defaultdict[bytes, list[Step]] = defaultdict(list)
        self.signals: dict[tuple[bytes, str], bytes] = {}
        self.awaited: dict[bytes, Awaits] = {}
        self.away: set[bytes] = set()
        self._cancelled: list[bytes] = []  # runs whose children are to follow
        for table in (
            "executions", "history", "pools", "dependencies", "batch_dependencies", "batch_parts", "batches", "steps",
            "signals", "awaited", "awaited_batches",
        ):  # fmt: skip
            self.sql(f"DELETE FROM currant.{table}")

    # The database.

    def own(self, name: str, *args: object) -> list[Any]:
        """A statement of the client's."""
        return list(background.run(self.conn.fetch(statement(name, self.schema), *args)))

    def engine(self, name: str, *args: object) -> list[Any]:
        """A statement of the engine's."""
        return list(background.run(self.conn.fetch(native(name, self.schema), *args)))

    def sql(self, text: str, *args: object) -> list[Any]:
        return list(background.run(self.conn.fetch(in_schema(text, self.schema), *args)))

    # The model.

    def step(self, id: bytes, action: Action, pool: int | None = None) -> Record:
        """Take a step that has to exist."""
        life = self.lives[id]
        record = step(life.record, action)
        self.lives[id] = life._replace(record=record, pool=pool)
        if record.status not in (Status.WAITING, Status.SCHEDULED):
            self.away.discard(id)
        if record.status == Status.CANCELLED and self.steps.get(id):
            self._cancelled.append(id)
        return record

    def holds(self, claim: Claim) -> bool:
        life = self.lives.get(claim.id)
        return life is not None and life.record.status == Status.RUNNING and life.record.token == claim.token

    def has(self, status: Status) -> bool:
        return any(life.record.status == status for life in self.lives.values())

    def is_open(self, id: bytes) -> bool:
        """Whether it is there and has not ended."""
        return id in self.lives and self.lives[id].record.status not in FINAL

    def is_bad(self, id: bytes) -> bool:
        return id in self.lives and self.lives[id].record.status in (Status.FAILED, Status.CANCELLED)

    def parents(self, child: bytes) -> list[bytes]:
        """All, one that is tied twice twice."""
        single = [parent for parent, other in self.ties if other == child]
        return single + [id for batch, other in self.many if other == child for id in self.members[batch]]

    def is_tied(self, id: bytes) -> bool:
        return any(id == child for _, child in self.ties | self.many)  # type: ignore[operator]

    def unfinished(self, id: bytes) -> int:
        return sum(map(self.is_open, self.parents(id)))

    def cancel_children(self, steps: Iterable[Step]) -> None:
        """What these steps have begun and has not ended is cancelled."""
        for one in steps:
            if one.kind not in ("run", "map", "submit") or not one.is_own:
                continue
            for child in self.members[one.batch] if one.batch is not None else [one.child]:
                if child is not None and self.is_open(child):
                    self.step(child, Action.CANCEL, self.lives[child].pool)

    def cascade(self) -> None:
        """Whatever follows from what has happened, the whole way down."""
        while self._cancelled or any(self._moves(id) for id in list(self.lives)):
            if self._cancelled:
                self.cancel_children(self.steps[self._cancelled.pop()])

    def _moves(self, id: bytes) -> bool:
        """Whether it has been moved on."""
        life = self.lives[id]
        if life.record.status == Status.WAITING and id not in self.away:
            if any(map(self.is_bad, self.parents(id))):
                self.step(id, Action.CANCEL)
                self.lives[id] = self.lives[id]._replace(is_blamed=True)
                return True
            if not self.unfinished(id):
                self.step(id, Action.READY_LATER if life.is_late else Action.READY)
                return True
        awaits = self.awaited.get(id)
        if awaits is None:
            return False
        is_over = not all(map(self.is_open, awaits.singles)) or any(
            not any(map(self.is_open, self.members[batch])) for batch in awaits.batches
        )
        if is_over:
            del self.awaited[id]
            if id in self.away or life.record.status == Status.SCHEDULED:
                self.step(id, Action.BRING_BACK)
        return is_over

    def run_again(self, chosen: Iterable[bytes]) -> None:
        """These are to run again: they wait for their parents first, and the children cancelled for their sake come
        back, the whole way down."""
        for id in chosen:
            life = self.lives[id]
            if self.is_tied(id):
                life = life._replace(record=_waiting(life.record))
            self.lives[id] = life._replace(is_blamed=False, is_late=False)
        self.cascade()
        todo = {id for id in chosen if self.is_open(id)}
        while todo:
            todo = {
                id
                for id, life in self.lives.items()
                if life.is_blamed and life.record.status == Status.CANCELLED
                and todo & set(self.parents(id)) and not any(map(self.is_bad, self.parents(id)))
            }  # fmt: skip
            for id in todo:
                self.step(id, Action.REVIVE)
                life = self.lives[id]
                self.lives[id] = life._replace(record=_waiting(life.record), is_blamed=False)
            self.cascade()

    def forget(self, run: bytes, first: int) -> None:
        """The record of a run goes from a step on."""
        steps = self.steps[run]
        gone, self.steps[run] = steps[first - 1 :], steps[: first - 1]
        self.awaited.pop(run, None)
        self.cancel_children(gone)
        self.cascade()

    def copies(self, run: bytes, first: int) -> list[Step]:
        return [replace(one, is_own=False) for one in self.steps[run][: first - 1]]

    def is_needed(self, id: bytes) -> bool:
        """Whether a result is: by a run that has not ended, or by what waits for it and for others."""
        maps = {batch for batch, members in self.members.items() if id in members}
        of_steps = any(
            one.child == id or one.batch in maps
            for run, steps in self.steps.items() if self.is_open(run) for one in steps
        )  # fmt: skip
        tied = any(parent == id and self.is_open(child) for parent, child in self.ties)
        return of_steps or tied or any(batch in maps and self.is_open(child) for batch, child in self.many)


def _waiting(record: Record) -> Record:
    from msgspec.structs import replace as changed

    return changed(record, status=Status.WAITING)
