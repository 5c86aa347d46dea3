"""Acting from the keyboard: ask first, act, keep a log. Refused, with the reason, where only looking is allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from textual import events
from textual.binding import Binding, BindingType
from textual.dom import DOMNode

from currant_lab.control import Act, Control, Done, open_to
from currant_lab.watch.criteria import Filter
from currant_lab.watch.listing import Listing
from currant_lab.watch.rows import Count
from currant_tui.asking import Ask, Question
from currant_tui.safe import plain

if TYPE_CHECKING:
    from currant_tui.app import CurrantApp

__all__ = ["ACTS", "Acting", "Acts", "Deed", "Meant", "acting_of"]

TYPED_ABOVE = 1_000
"""More executions than this ask for their number to be typed."""

_MOST_DEEDS = 500

_WORDS: dict[Act, tuple[str, str, str]] = {
    "cancel": ("Cancel", "cancelled", "What waits ends at once; what runs is asked to end."),
    "retry": ("Run again", "to run again", "They begin anew, from their first attempt."),
    "run_now": ("Run now", "let run now", "They no longer wait for their time."),
    "reprioritise": ("Give another priority to", "given another priority", "What has started is left as it is."),
}
"""What is asked, what is reported, what it means."""

_BUTTONS: dict[Act, str] = {"cancel": "Cancel them", "retry": "Run again", "run_now": "Run now"}

ACTS: list[BindingType] = [
    Binding("c", "act('cancel')", "Cancel", id="act.cancel", tooltip="cancel: the row, or what is tagged"),
    Binding("r", "act('retry')", "Retry", id="act.retry", tooltip="run what failed or was cancelled again"),
    Binding("n", "act('run_now')", "Run now", id="act.run_now", tooltip="let what is scheduled run now"),
    Binding("p", "act('reprioritise')", "Priority", id="act.priority", tooltip="another priority, unless it started"),
]


@dataclass(frozen=True, slots=True)
class Meant:
    """Which executions: these ids, or with a filter all that it means. `text` says which, in words."""

    text: str
    ids: tuple[bytes, ...] = ()
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """An action, for the log. `at` by the database's clock."""

    at: float
    what: str
    outcome: str
    state: Literal["running", "done", "failed"]


class Acting:
    """Does what is asked for, and remembers it.

    Attributes:
        refusal: why nothing may be changed; None when it may.
        deeds: what was done since the dashboard was opened, oldest first.
    """

    def __init__(self, app: CurrantApp) -> None:
        self._app = app
        self.refusal: str | None = "the database has not answered yet"
        self.deeds: list[Deed] = []

    async def examine(self) -> None:
        """Ask the database whether this role may change anything: one statement.

        Raises:
            DatabaseUnavailable: nobody answers.
        """
        lab = self._app.lab
        if lab.source.database is None:
            self.refusal = "a recording can't be changed"
        elif lab.read_only:
            self.refusal = "the dashboard was started with --read-only"
        else:
            self.refusal = await Control(lab.source.database).refusal()
        lab.read_only = self.refusal is not None

    def refuse(self) -> bool:
        """Say why nothing may be changed, if so."""
        if self.refusal is None:
            return False
        self._tell(f"Nothing is changed: {self.refusal}.", "warning")
        return True

    def begin(self, act: Act, meant: Meant | None, done: Callable[[], None]) -> None:
        """Ask, act, log; `done` is called when something was changed."""
        if self.refuse():
            return
        if meant is None:
            self._tell("There is nothing under the cursor.", "warning")
            return
        self._app.run_worker(self._act(act, meant, done), group="act")

    def turn_queue(self, queue: str | None, done: Callable[[], None] = lambda: None) -> None:
        """Ask, and pause a queue, or let it go on."""
        if self.refuse():
            return
        if queue is None:
            self._tell("There is no queue under the cursor.", "warning")
            return
        self._app.run_worker(self._turn_queue(queue, done), group="act")

    # The steps of an action

    async def _act(self, act: Act, meant: Meant, done: Callable[[], None]) -> None:
        try:
            count = await self._count(act, meant)
        except Exception as error:  # noqa: BLE001 - whatever is wrong is told, and the dashboard stays
            self._tell(str(error), "error")
            return
        if count.number == 0:
            which = " or ".join(open_to(act))
            self._tell(f"Nothing to do: nothing of {meant.text} is {which}.", "warning")
            return
        answer = await self._app.push_screen_wait(Question(_ask(act, meant, count)))
        if answer is None:
            return
        many = _many(count)
        title = _WORDS[act][0] + (f" {answer}:" if act == "reprioritise" else "")
        deed = self._log(f"{title} {many}, {meant.text}", "…", "running")

        def told(number: int) -> None:
            nonlocal deed
            deed = self._relog(deed, f"{number:,} so far", "running")

        try:
            changed = (await self._do(act, meant, answer, told)).changed
        except Exception as error:  # noqa: BLE001 - whatever is wrong is told, and the dashboard stays
            self._relog(deed, str(error), "failed")
            self._tell(str(error), "error")
            return
        outcome = f"{changed:,} {_WORDS[act][1]}"
        self._relog(deed, outcome, "done")
        self._tell(f"{outcome}: {meant.text}", "information")
        done()

    async def _count(self, act: Act, meant: Meant) -> Count:
        """How many executions it may be done to."""
        if meant.filter is None:
            infos = [info for start in range(0, len(meant.ids), 200)
                     for info in await self._listing().read(meant.ids[start : start + 200])]  # fmt: skip
            return Count(sum(info.status in open_to(act) for info in infos), True)
        wanted = meant.filter.only(*open_to(act))
        return Count(0, True) if wanted is None else await self._listing().count(wanted)

    async def _do(self, act: Act, meant: Meant, answer: str, told: Callable[[int], None]) -> Done:
        control = Control(self._app.lab.source.database)
        if meant.filter is not None:
            match act:
                case "cancel":
                    return await control.cancel_matching(meant.filter, told=told)
                case "retry":
                    return await control.retry_matching(meant.filter, told=told)
                case "run_now":
                    return await control.run_now_matching(meant.filter, told=told)
                case "reprioritise":
                    return await control.reprioritise_matching(meant.filter, int(answer), told=told)
        match act:
            case "cancel":
                return await control.cancel(meant.ids)
            case "retry":
                return await control.retry(meant.ids)
            case "run_now":
                return await control.run_now(meant.ids)
            case "reprioritise":
                return await control.reprioritise(meant.ids, int(answer))

    async def _turn_queue(self, queue: str, done: Callable[[], None]) -> None:
        view = next((view for view in self._app.lab.board.queues() if view.name == queue), None)
        is_paused = view is not None and view.paused
        waits = "" if view is None else f" {view.waiting:,} wait there."
        if is_paused:
            ask = Ask(f"Let queue `{queue}` go on?", f"Pools claim from it again.{waits}", "Resume")
        else:
            ask = Ask(f"Pause queue `{queue}`?", f"Nothing more is claimed; what runs goes on.{waits}", "Pause")
        if await self._app.push_screen_wait(Question(ask)) is None:
            return

        async def turn(control: Control) -> str:
            await (control.resume(queue) if is_paused else control.pause(queue))
            return "goes on" if is_paused else "is paused"

        await self.perform(f"{ask.does} queue `{queue}`", f"Queue `{queue}`", turn, done)

    async def perform(
        self, what: str, subject: str, do: Callable[[Control], Awaitable[str]], done: Callable[[], None]
    ) -> None:
        """Do it, which says what came of it; log it, and tell it of its subject."""
        deed = self._log(what, "…", "running")
        try:
            outcome = await do(Control(self._app.lab.source.database))
        except Exception as error:  # noqa: BLE001 - whatever is wrong is told, and the dashboard stays
            self._relog(deed, str(error), "failed")
            self._tell(str(error), "error")
            return
        self._relog(deed, outcome, "done")
        self._tell(f"{subject} {outcome}", "information")
        done()

    # The log

    def _log(self, what: str, outcome: str, state: Literal["running", "done", "failed"]) -> Deed:
        deed = Deed(self._app.lab.board.now, what, outcome, state)
        self.deeds = [*self.deeds, deed][-_MOST_DEEDS:]
        return deed

    def _relog(self, deed: Deed, outcome: str, state: Literal["running", "done", "failed"]) -> Deed:
        """Say how an action goes; it may have left the log by now."""
        changed = replace(deed, outcome=outcome, state=state)
        self.deeds = [changed if one is deed else one for one in self.deeds]
        return changed

    def _tell(self, said: str, severity: Literal["information", "warning", "error"]) -> None:
        self._app.notify(plain(said, 1_000), severity=severity, markup=False)

    def _listing(self) -> Listing:
        return Listing(self._app.lab.source.database)


class Acts(DOMNode):
    """What a page is beside its own kind when executions may be acted upon from it."""

    BINDINGS: ClassVar[list[BindingType]] = ACTS

    def meant(self, act: Act) -> Meant | None:
        """What the keys act upon now; None when there is nothing."""
        raise NotImplementedError

    def acted(self) -> None:
        """Something was changed: look again."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey where only looking is allowed."""
        if action == "act" and acting_of(self).refusal is not None:
            return None
        return super().check_action(action, parameters)

    def action_act(self, act: Act) -> None:
        """Act upon what is meant."""
        acting_of(self).begin(act, self.meant(act), self.acted)

    def on_key(self, event: events.Key) -> None:
        """A greyed key tells why it does nothing."""
        active = self.app.active_bindings.get(event.key)
        if active is not None and not active.enabled and active.binding.action.startswith("act("):
            event.stop()
            acting_of(self).refuse()


def acting_of(node: DOMNode) -> Acting:
    """The app's."""
    return cast("CurrantApp", node.app).acting


def _ask(act: Act, meant: Meant, count: Count) -> Ask:
    verb, _, means = _WORDS[act]
    noun = "execution" if count.number == 1 and count.exact else "executions"
    body = f"It is {meant.text}." if count.number == 1 and count.exact else f"They are {meant.text}."
    if meant.filter is not None:
        body += " Those that match when it is done are taken."
    body = f"{body}\n{means}"
    title = f"{verb} {_many(count)} {noun}?"
    if act == "reprioritise":
        return Ask(title, body + "\nHigher goes first; 0 is usual.", "Do it", "-32768 to 32767", _wrong_priority)
    if count.number > TYPED_ABOVE or not count.exact:
        typed = str(count.number)
        return Ask(title, body + f"\nType {typed} to do it.", _BUTTONS[act], "how many?",
                   lambda said: None if said.replace(",", "") == typed else f"this is not {typed}")  # fmt: skip
    return Ask(title, body, _BUTTONS[act])


def _wrong_priority(said: str) -> str | None:
    try:
        fits = -32768 <= int(said) <= 32767
    except ValueError:
        fits = False
    return None if fits else "a whole number from -32768 to 32767 is expected"


def _many(count: Count) -> str:
    return f"{count.number:,}" if count.exact else f"at least {count.number:,}"
