"""Pictures of the dashboard as fixtures: compared with what was looked at and found good."""

from __future__ import annotations

import difflib
import html
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from currant_tui.picture import settled

from tests.tui.looking import heard

PICTURES = Path(__file__).parent / "fixtures"
WRITE = "PICTURES"
_PAGE = """<!doctype html><meta charset="utf-8"><title>{name}</title>
<style>body {{ font: 14px sans-serif }} svg {{ width: 48vw }}
table {{ font: 12px monospace }} td {{ vertical-align: top }}
.diff_add {{ background: #bfb }} .diff_sub {{ background: #fbb }} .diff_chg {{ background: #ffb }}</style>
<h1>{name}</h1><p>Left as it was found good, right as it is now. To take it: {write}=write pytest tests/tui</p>
<div>{before} {after}</div>{table}"""


class Pictures:
    """Compares pictures with their files."""

    def __init__(self, place: Path, failed: Path, *, write: bool) -> None:
        self.place, self.failed, self.write = place, failed, write

    def is_known(self, name: str, svg: str) -> bool:
        """It is as it was found good; never while new ones are written."""
        file = self.place / f"{name}.svg"
        return not self.write and file.exists() and settled(svg) == file.read_text(encoding="utf-8")

    def check(self, name: str, svg: str) -> str | None:
        """What is wrong with a picture; None when it is as it was found good."""
        file, now = self.place / f"{name}.svg", settled(svg)
        if self.write:
            file.write_text(now, encoding="utf-8")
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        if now == before:
            return None
        page = self.failed / f"{name}.html"
        page.write_text(_page(name, before, now), encoding="utf-8")
        return f"{name} looks different: {page}"


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(PICTURES, tmp_path, write=os.environ.get(WRITE) == "write")


def _page(name: str, before: str, after: str) -> str:
    words: Callable[[str], list[str]] = lambda svg: html.unescape(svg.replace("><", ">\n<")).splitlines()  # noqa: E731
    table = difflib.HtmlDiff(wrapcolumn=90).make_table(words(before), words(after), context=True, numlines=1)
    return _PAGE.format(name=name, write=WRITE, before=before.replace("currant-", "before-"), after=after, table=table)


@pytest.fixture(autouse=True)
def _heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a key, go on as soon as everybody has heard of it.

    Textual takes a process that has used little CPU for 20 ms to be idle: two such spells for every key, up to a second
    each while something works, and a wrong guess on a busy machine.
    """
    monkeypatch.setattr("textual.app.wait_for_idle", heard)
    monkeypatch.setattr("textual.pilot.wait_for_idle", heard)
