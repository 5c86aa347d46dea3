"""The Rust engine as Python sees it. Only `currant_lab.pool.engine` and `currant_lab.pool.listener` import it.

Ids are 16 bytes, times are timezone-aware datetimes by the database's clock, durations say their unit.
No call waits for the database with the GIL held, and none but `connect`, `drain` and `close` waits at all.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import final

__all__ = ["Claimed", "Engine", "Listener", "News", "Stats", "__version__", "statements"]

__version__: str

def statements(schema: str) -> dict[str, str]:
    """The SQL text of the engine's statements for one schema, by name: for measuring them without the engine.

    Raises:
        ValueError: the schema's name may not be used.
    """

@final
class Claimed:
    """One claimed execution, as it goes to a worker."""

    @property
    def id(self) -> bytes: ...
    @property
    def job(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def attempt(self) -> int: ...
    @property
    def token(self) -> int: ...
    @property
    def rescues(self) -> int: ...
    @property
    def retries(self) -> int | None: ...
    @property
    def batch(self) -> int | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def claimed_at(self) -> datetime: ...
    @property
    def wait_us(self) -> int:
        """Microseconds from submit (or the due time) to this take."""
    @property
    def options(self) -> str | None:
        """JSON of the options that differ from the job's, if any."""
    @property
    def args(self) -> bytes:
        """The encoded arguments."""

@final
class News:
    """What has happened since the last call of `Engine.news`."""

    @property
    def committed(self) -> int:
        """The highest ticket whose outcome, with all before it, is on disk or refused for good."""
    @property
    def stale(self) -> list[int]:
        """Tickets, not above `committed`, whose attempt no longer held its claim: the outcome was dropped."""
    @property
    def refused(self) -> list[tuple[int, str]]:
        """Tickets whose outcome the database would not store, with its reason: those executions ended `failed`."""
    @property
    def cancel(self) -> list[tuple[bytes, int]]:
        """(id, token) of running executions whose cancellation was asked for."""
    @property
    def lost(self) -> list[tuple[bytes, int]]:
        """(id, token) of taken executions whose claim is gone: cancel the handler, its outcome will be stale."""
    @property
    def cancelled(self) -> list[tuple[bytes, int]]:
        """(id, token) of executions that are on disk as `cancelled` though no such outcome was handed in: cancellation
        was asked for before a worker took them, or a `retry` outcome met it."""
    @property
    def connected(self) -> bool:
        """Whether the engine has its database connections at this moment."""
    @property
    def trouble(self) -> str | None:
        """The last connection error, while not connected."""

@final
class Stats:
    """Counters since connect, and the present state."""

    @property
    def workers(self) -> int: ...
    @property
    def running(self) -> int:
        """Executions taken and not yet handed to `settle`."""
    @property
    def buffered(self) -> int:
        """Executions claimed and not yet taken."""
    @property
    def unsettled(self) -> int:
        """Outcomes handed to `settle` and not yet on disk."""
    @property
    def prefetch(self) -> int:
        """How many executions the engine aims to hold in its buffer."""
    @property
    def claims(self) -> int: ...
    @property
    def claimed(self) -> int: ...
    @property
    def empty_claims(self) -> int: ...
    @property
    def wakes(self) -> dict[str, int]:
        """Claims per wake reason: notify, capacity, poll, start."""
    @property
    def statements(self) -> int: ...
    @property
    def settled(self) -> int: ...
    @property
    def stale(self) -> int: ...
    @property
    def released(self) -> int: ...
    @property
    def rescued(self) -> int:
        """Executions this pool has given back on behalf of dead pools."""
    @property
    def reconnects(self) -> int: ...
    @property
    def listening(self) -> bool: ...
    @property
    def lease_age_s(self) -> float: ...
    @property
    def wait_us(self) -> list[tuple[int, int]]:
        """Histogram of waits, submit to take: (log bucket, count), as `currant_lab.latency` numbers them."""
    @property
    def run_us(self) -> list[tuple[int, int]]: ...
    @property
    def claim_us(self) -> list[tuple[int, int]]: ...
    @property
    def claim_sizes(self) -> list[tuple[int, int]]:
        """(upper power of two, count) of rows per claim."""

@final
class Engine:
    """Claims, prefetches, settles and keeps the lease for one pool, on threads of its own."""

    @staticmethod
    def connect(
        *,
        hosts: Sequence[tuple[str, int]],
        user: str,
        password: str | None,
        database: str,
        sslmode: str,
        sslrootcert: str | None,
        sslcert: str | None,
        sslkey: str | None,
        target_session_attrs: str,
        connect_timeout: float,
        schema: str,
        name: str,
        kind: str,
        version: str,
        queues: Sequence[str],
        jobs: Sequence[str],
        workers: int,
    ) -> Engine:
        """Connect, register the pool, take its lock, LISTEN, sweep once, and begin to claim.

        `hosts` are (host name, address or socket directory, port), tried in order.

        Raises:
            DatabaseUnavailable: with the real reason, within about `connect_timeout` seconds.
            SchemaOutdated: the schema is missing or older than this code.
            ValueError: an argument makes no sense.
        """
    @property
    def pool_id(self) -> int:
        """This pool's row in `pools`; changes if the pool was declared lost and registered again."""
    def fileno(self) -> int:
        """A descriptor that becomes readable when `take` or `news` has something new."""
    def clear(self) -> None:
        """Make `fileno` unreadable. Call it before `take` and `news`, so that no signal is missed."""
    def wake(self) -> None:
        """Claim now: this process has just submitted something."""
    def reserve(self, id: bytes, job: str, queue: str) -> int | None:
        """Keep a worker for an execution that is about to be written as running here, with attempt and token 1; the
        pool's id for its row. None: something else waits, all workers are busy, or this pool doesn't run it."""
    def hand_over(
        self,
        pool: int,
        id: bytes,
        job: str,
        queue: str,
        priority: int,
        retries: int | None,
        options: str | None,
        args: bytes,
        created_at: int,
        sent_us_ago: int,
    ) -> None:
        """The row of a reserved execution is on disk: `take` gives it next. `created_at` is in microseconds since
        1970. Nothing happens if the pool was declared lost meanwhile."""
    def unreserve(self, id: bytes, is_in_doubt: bool) -> None:
        """A reserved execution was not written as running; in doubt, the engine looks, and gives it back."""
    def submit(
        self,
        id: bytes,
        job: str,
        queue: str,
        priority: int,
        retries: int | None,
        options: str | None,
        args: bytes,
    ) -> bool:
        """Write an execution that is due at once, as running here, and wait without the GIL until it is on disk; `take`
        gives it next. False: nothing was done, since something else waits, all workers are busy, another thread submits
        at this moment, or this pool doesn't run it.

        Raises:
            DatabaseUnavailable: it may have been written or not.
            KeyboardInterrupt: the wait was interrupted; it goes on being written.
        """
    def take(self, max: int) -> list[Claimed]:
        """Hand over at most `max` prefetched executions, in order; [] when there are none, or when too
        many outcomes wait to be settled (back-pressure)."""
    def settle(
        self,
        id: bytes,
        token: int,
        status: str,
        result: bytes | None = None,
        error: str | None = None,
        run_us: int = 0,
        delay: float = 0.0,
        logs: str | None = None,
        source: str | None = None,
    ) -> int:
        """Buffer an outcome and return its ticket, a counter from 1. `status` is a final one or `retry`,
        `error` is JSON, `delay` the seconds before a retry."""
    def forget(self, id: bytes, token: int) -> None:
        """The worker of a lost claim is free again, and has no outcome; counted as stale."""
    def put_away(self, id: bytes, token: int) -> None:
        """The worker has given the execution up so that its function can go on later; counted as released. The row is
        given back by `currant.put_away`, which comes after this."""
    def set_resting(self, resting: int) -> None:
        """How many of those taken wait for others and hold no worker."""
    def news(self) -> News: ...
    def set_jobs(self, names: Sequence[str]) -> None:
        """The job names this pool can run. Claims ask for these only."""
    def set_workers(self, workers: int) -> None: ...
    def stop_claiming(self) -> None:
        """Claim no more, and release what has not been taken."""
    def drain(self, timeout: float) -> bool:
        """Wait until every outcome is on disk, at most `timeout` seconds; whether it is so."""
    def close(self, timeout: float) -> None:
        """Release, settle what is buffered, say goodbye in `pools`, disconnect. Claims still held by running
        handlers are given back. Harmless when called again."""
    def stats(self) -> Stats: ...

@final
class Listener:
    """LISTENs on channels and drains them at once, so that a busy notebook never holds vacuum back."""

    @staticmethod
    def connect(
        *,
        hosts: Sequence[tuple[str, int]],
        user: str,
        password: str | None,
        database: str,
        sslmode: str,
        sslrootcert: str | None,
        sslcert: str | None,
        sslkey: str | None,
        target_session_attrs: str,
        connect_timeout: float,
        channels: Sequence[str],
    ) -> Listener:
        """Connect and LISTEN.

        Raises:
            DatabaseUnavailable: with the real reason.
        """
    def fileno(self) -> int: ...
    def clear(self) -> None: ...
    def take(self) -> list[tuple[str, str]]:
        """(channel, payload) of what has arrived, oldest first. Holds the newest 10,000."""
    @property
    def dropped(self) -> int:
        """Messages that arrived and found no room, or may have been missed while reconnecting."""
    @property
    def connected(self) -> bool: ...
    def close(self) -> None: ...
