"""Signals, forks and reruns of workflows from the keyboard: asked for first, done, logged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast
from uuid import UUID

from textual.binding import Binding, BindingType

from currant_tui.acting import Acts, acting_of
from currant_tui.asking import Ask, Question

if TYPE_CHECKING:
    from currant_lab.control import Act, Control
    from currant_tui.app import CurrantApp

__all__ = ["RunActs", "RunMeant"]


@dataclass(frozen=True, slots=True)
class RunMeant:
    """A run of a workflow, and the step of it under the cursor, if any: its number and what it is called."""

    id: bytes
    name: str
    event: str = ""
    step: int = 0
    step_name: str = ""


class RunActs(Acts):
    """What a page is beside its own kind when runs may be signalled, forked and rerun from it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "act('signal')", "Signal", id="run.signal", tooltip="send a signal to the run"),
        Binding("f", "act('fork')", "Fork", id="run.fork", tooltip="another run that goes on from this step"),
        Binding(
            "R", "act('rerun')", "Rerun", id="run.rerun", tooltip="the run itself does this step and all after it anew"
        ),
    ]

    def run_meant(self) -> RunMeant | None:
        """The run that the keys act upon now; None when there is none."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Of what may be done to executions, a run takes to be cancelled, and to go on."""
        if action == "act" and parameters[:1] in (("run_now",), ("reprioritise",)):
            return False
        return super().check_action(action, parameters)

    def action_act(self, act: Act | str) -> None:
        """Act upon what is meant."""
        does = _DOES.get(act)
        if does is None:
            super().action_act(cast("Act", act))
            return
        if acting_of(self).refuse():
            return
        meant = self.run_meant()
        if meant is None or (act != "signal" and not meant.step):
            why = "There is no run under the cursor."
            if meant is not None:
                why = f"Open the run: it is {'forked' if act == 'fork' else 'rerun'} from a step."
            self.app.notify(why, severity="warning", markup=False)
            return
        self.app.run_worker(does(cast("CurrantApp", self.app), meant, self.acted), group="act")


async def _signal(app: CurrantApp, meant: RunMeant, done: Callable[[], None]) -> None:
    body = f"It is what `currant.event(name)` returns in {meant.name}. The first of a name counts."
    ask = Ask(f"Signal {meant.name}: which event?", body, "Next", "the event's name", _wrong_name, meant.event)
    name = await app.push_screen_wait(Question(ask))
    if name is None:
        return
    body = f"The run is {UUID(bytes=meant.id)}."
    ask = Ask(f"Signal `{name}`: with which value?", body, "Send", "JSON", _wrong_json, "true")
    value = await app.push_screen_wait(Question(ask))
    if value is None:
        return

    async def send(control: Control) -> str:
        await control.signal(meant.id, name, json.loads(value))
        return f"is sent to {meant.name}"

    await app.acting.perform(f"Signal `{name}` {value}", f"Signal `{name}`", send, done)


async def _fork(app: CurrantApp, meant: RunMeant, done: Callable[[], None]) -> None:
    body = "Another run of it does this step anew, and all that comes after it.\nThis one stays as it is."
    title = f"Fork {meant.name} from step {meant.step}, {meant.step_name}?"
    if await app.push_screen_wait(Question(Ask(title, body, "Fork"))) is None:
        return

    async def fork(control: Control) -> str:
        return f"goes on as {UUID(bytes=await control.fork(meant.id, meant.step))}"

    what = f"Fork {meant.name} from step {meant.step}"
    await app.acting.perform(what, f"{meant.name} from step {meant.step}", fork, done)


async def _rerun(app: CurrantApp, meant: RunMeant, done: Callable[[], None]) -> None:
    body = "The run does this step anew, and all that comes after it: what they gave is forgotten."
    title = f"Rerun {meant.name} from step {meant.step}, {meant.step_name}?"
    if await app.push_screen_wait(Question(Ask(title, body, "Rerun"))) is None:
        return

    async def rerun(control: Control) -> str:
        await control.rerun(meant.id, meant.step)
        return "goes on"

    what = f"Rerun {meant.name} from step {meant.step}"
    await app.acting.perform(what, f"{meant.name} from step {meant.step}", rerun, done)


_DOES = {"signal": _signal, "fork": _fork, "rerun": _rerun}


def _wrong_name(said: str) -> str | None:
    return None if said else "the name of the event is expected, as in currant.event('approved')"


def _wrong_json(said: str) -> str | None:
    try:
        _: Any = json.loads(said)
    except (ValueError, RecursionError):
        return 'JSON is expected: true, 3, "a text", {"by": "ann"}'
    return None
