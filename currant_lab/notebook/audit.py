"""The quickstart's books: what the notebook says it has done, held against the database and the files themselves."""

from __future__ import annotations

import ast
import asyncio
import tokenize
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from currant_lab.client.client import Client
from currant_lab.database import inspect
from currant_lab.database.inspect import ExecutionInfo
from currant_lab.status import Status
from currant_lab.values import decode_args

__all__ = ["Audit", "Report", "audit", "library_files"]

_AT_ONCE = 4
_PAGE = 2_000


@dataclass(frozen=True)
class Report:
    """What the notebook says: the names of its two batches, the second one's counts at the kill, its files."""

    first: str
    again: str
    before: Mapping[str, int]
    files: Sequence[str]
    library: Path


@dataclass
class Audit:
    """(label, words) for the summary, and what is wrong, in sentences."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Books:
    """A batch as the database has it: rows by file, and how many rows there are by status."""

    rows: Mapping[str, ExecutionInfo]
    paths: Sequence[str]
    counts: Mapping[str, int]

    @property
    def failed(self) -> dict[str, str]:
        return {
            path: info.error.type if info.error else ""
            for path, info in self.rows.items()
            if info.status is Status.FAILED
        }


def library_files(library: Path) -> list[str]:
    """The `.py` files of a standard library, without what was installed beside it."""
    return sorted(
        path.relative_to(library).as_posix()
        for path in library.rglob("*.py")
        if not {"site-packages", "dist-packages"} & set(path.parts)
    )


def audit(client: Client, report: Report) -> Audit:
    """Look whether every file was indexed once in both batches, and failed only if it can't be parsed."""
    result = Audit()
    there = library_files(report.library)
    if sorted(report.files) != there:
        result.problems.append(f"the notebook found {len(report.files):,} files, there are {len(there):,}")
    first, again = _read(client, report.first), _read(client, report.again)
    for name, books in (("first", first), ("second", again)):
        result.problems += [f"the {name} batch: {problem}" for problem in _problems(books, there)]
    result.problems += _unexpected(first.failed, report.library)
    if first.failed != again.failed:
        result.problems.append("the two batches failed for other files")
    done = sum(report.before.get(status, 0) for status in ("succeeded", "failed"))
    if not 0 < done < len(there):
        result.problems.append(f"the kill came when {done:,} of {len(there):,} files were done")
    _summarize(result, first, again, done)
    return result


def _summarize(result: Audit, first: _Books, again: _Books, done: int) -> None:
    total = sum(first.counts.values())
    kinds = Counter(kind.rpartition(".")[2] for kind in first.failed.values())
    words = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
    result.lines += [
        ("files", f"{total:,} submitted = {first.counts.get('succeeded', 0):,} indexed + {len(first.failed)} failed"),
        ("failed", f"{words}, in files that do not parse"),
    ]
    starts = [info.started_at for info in first.rows.values() if info.started_at]
    ends = [info.finished_at for info in first.rows.values() if info.finished_at]
    if starts and ends:
        spent = (max(ends) - min(starts)).total_seconds()
        result.lines.append(("rate", f"{total / spent:,.0f} files/s ({spent:.1f} s)"))
    twice = sum(info.attempt > 1 for info in again.rows.values())
    result.lines += [
        ("kill -9", f"at {done:,} of {total:,}; {twice} were in the dead kernel's hands and started again"),
        ("books", "every file once, in both batches" if not result.problems else "wrong, see below"),
    ]


def _problems(books: _Books, there: Sequence[str]) -> list[str]:
    problems = []
    if sorted(books.paths) != list(there):
        problems.append(f"{len(books.paths):,} executions for {len(there):,} files, or for other ones")
    if sum(books.counts.values()) != len(there):
        problems.append(f"{sum(books.counts.values()):,} rows for {len(there):,} files")
    if left := {status: count for status, count in books.counts.items() if status not in ("succeeded", "failed")}:
        problems.append(f"not all have ended well or badly: {left}")
    return problems


def _unexpected(failed: Mapping[str, str], library: Path) -> list[str]:
    """Failures that have another reason than the file itself, which is read once more here."""
    problems = []
    for path, kind in failed.items():
        try:
            with tokenize.open(library / path) as file:
                ast.parse(file.read(), path)
        except (SyntaxError, UnicodeDecodeError) as error:
            expected = type(error).__name__
        else:
            expected = "success"
        if kind != expected:
            problems.append(f"{path} ended with {kind}, not with {expected}")
    return problems


def _read(client: Client, name: str) -> _Books:
    return client.run(_read_rows(client, name))


async def _read_rows(client: Client, name: str) -> _Books:
    database = client.database
    found = await inspect.find_batch(database, name)
    ids = await inspect.batch_ids(database, found.id)
    infos: dict[bytes, ExecutionInfo] = {}
    for start in range(0, len(ids), _PAGE):
        infos |= await inspect.read(database, ids[start : start + _PAGE])
    gate = asyncio.Semaphore(_AT_ONCE)

    async def path_of(id: bytes) -> str:
        async with gate:
            args, _ = await inspect.payloads(database, id)
        return str(decode_args(args)[0][0])

    paths = await asyncio.gather(*map(path_of, ids))
    rows = {path: infos[id] for path, id in zip(paths, ids, strict=True)}
    return _Books(rows, paths, await inspect.batch_counts(database, found.id))
