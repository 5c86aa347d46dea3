"""`currant retry | cancel | pause | resume`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from currant_lab.cli.base import opened
from currant_lab.cli.output import print_json, waiting
from currant_lab.database import inspect
from currant_lab.errors import InvalidArguments

if TYPE_CHECKING:
    from currant_lab.client.client import Client


def run_retry(args: Namespace) -> int:
    """Run failed and cancelled executions again; 1 if it could not be done for one of them."""
    if args.matching is not None:
        return _run_matching(args, "retry_matching", "retried")
    with opened(args, writes=True) as client, waiting(f"retrying {len(args.ids)}"):
        again = {UUID(bytes=id) for id in client.retry(args.ids)}
        refused = _others(client, args.ids, again)
    return _report(
        args, {"retried": _in_order(args.ids, again)}, refused, "only what failed or was cancelled runs again"
    )


def run_cancel(args: Namespace) -> int:
    """Cancel executions; 1 if one of them had ended already or does not exist."""
    if args.matching is not None:
        return _run_matching(args, "cancel_matching", "cancelled")
    with opened(args, writes=True) as client, waiting(f"cancelling {len(args.ids)}"):
        done = client.cancel(args.ids)
        ended, asked = ({UUID(bytes=id) for id in ids} for ids in (done.ended, done.asked))
        refused = _others(client, args.ids, ended | asked)
    found = {"cancelled": _in_order(args.ids, ended), "asked to end": _in_order(args.ids, asked)}
    return _report(args, found, refused, "it has ended already")


def run_pause(args: Namespace) -> int:
    """Pause a queue, for all pools."""
    with opened(args, writes=True) as client:
        client.pause(args.queue)
    return _tell_queue(args, "paused", f"paused {args.queue}: what runs goes on, nothing more is started")


def run_resume(args: Namespace) -> int:
    """Let a queue go on. One that was not paused is as it was wanted."""
    with opened(args, writes=True) as client:
        was_paused = client.resume(args.queue)
    return _tell_queue(args, "resumed", f"resumed {args.queue}" if was_paused else f"{args.queue} was not paused")


def _run_matching(args: Namespace, action: str, word: str) -> int:
    """Act on all that a filter means, and say on how many."""
    from currant_lab.control import Control

    if not args.matching.line():
        raise InvalidArguments(
            "an empty filter means every execution there is: say which, by status:failed for example"
        )
    with opened(args, writes=True) as client, waiting("working through them"):
        done = client.run(getattr(Control(client.database), action)(args.matching))
    if args.json:
        print_json({"matching": args.matching.line(), word: done.changed})
    else:
        print(f"{word} {done.changed:,}")
    return 0


def _others(client: Client, ids: Sequence[UUID], done: set[UUID]) -> dict[UUID, str]:
    """The status of those it was not done for, `unknown` for those that don't exist."""
    lacking = [id for id in dict.fromkeys(ids) if id not in done]
    found = client.run(inspect.read(client.database, [id.bytes for id in lacking]))
    return {id: str(found[id.bytes].status) if id.bytes in found else "unknown" for id in lacking}


def _in_order(ids: Sequence[UUID], done: set[UUID]) -> list[UUID]:
    return [id for id in dict.fromkeys(ids) if id in done]


def _report(args: Namespace, done: dict[str, list[UUID]], refused: dict[UUID, str], why: str) -> int:
    if args.json:
        answer: dict[str, Any] = {word.replace(" ", "_"): ids for word, ids in done.items()}
        print_json(answer | {"refused": [{"id": id, "status": status} for id, status in refused.items()]})
    else:
        for word, ids in done.items():
            for id in ids:
                print(f"{word} {id}")
    for id, status in refused.items():
        reason = "there is no such execution" if status == "unknown" else f"its status is {status}: {why}"
        print(f"currant: {id}: {reason}", file=sys.stderr)
    return 1 if refused else 0


def _tell_queue(args: Namespace, word: str, sentence: str) -> int:
    if args.json:
        print_json({"queue": args.queue, "paused": word == "paused"})
    else:
        print(sentence)
    return 0
