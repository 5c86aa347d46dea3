"""The pages of the dashboard, in the order of their number keys. A new one is a line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import cast

from currant_tui.view import View

__all__ = ["VIEWS", "Entry", "entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A page: its key, its name, its class as `module:Class`, imported when it is first looked at."""

    key: str
    name: str
    place: str

    @property
    def id(self) -> str:
        """The name as the program uses it."""
        return self.name.lower()

    def load(self) -> type[View]:
        """The page's class."""
        module, _, kind = self.place.partition(":")
        return cast(type[View], getattr(import_module(module), kind))


VIEWS = (
    Entry("1", "Overview", "currant_tui.views.overview:Overview"),
    Entry("2", "Claims", "currant_tui.views.claims:Claims"),
    Entry("3", "Latency", "currant_tui.views.latency:Latency"),
    Entry("4", "Executions", "currant_tui.views.executions:Executions"),
    Entry("5", "Failures", "currant_tui.views.failures:Failures"),
    Entry("6", "Pools", "currant_tui.views.pools:Pools"),
    Entry("7", "Batches", "currant_tui.views.batches:Batches"),
    Entry("8", "Database", "currant_tui.views.database:Database"),
    Entry("9", "Workflows", "currant_tui.views.workflows:Workflows"),
)


def entry(name: str) -> Entry | None:
    """The page of that name or number, if there is one."""
    wanted = name.strip().lower()
    return next((one for one in VIEWS if wanted in (one.id, one.key)), None)
