"""`currant doctor`."""

from __future__ import annotations

from argparse import Namespace

from currant_lab.cli.base import settings_of
from currant_lab.cli.output import console, plain, print_json, print_table, waiting
from currant_lab.database.embedded import EmbeddedServer
from currant_lab.database.health import Finding, examine, store, unreachable
from currant_lab.database.resolve import resolve
from currant_lab.errors import CurrantError
from currant_lab.loop import background
from currant_lab.settings import Settings


def run(args: Namespace) -> int:
    """Look at everything, show it, and say what to do; 1 if anything is not as it should be."""
    settings = settings_of(args)
    with waiting("looking"):
        findings = _findings(settings)
    wrong = [finding for finding in findings if not finding.ok]
    if args.json:
        print_json({"ok": not wrong, "findings": findings})
    else:
        _show(findings)
    return 1 if wrong else 0


def _findings(settings: Settings) -> list[Finding]:
    try:
        target, migrates = resolve(settings)
        found = background.run(examine(target, settings.schema, migrates=migrates))
    except CurrantError as error:
        found = [unreachable(error)]
    try:
        return [*found, store(EmbeddedServer(settings.home).where, is_used=settings.database is None)]
    except CurrantError as error:
        return [*found, Finding("embedded store", settings.database is not None, str(error), "see above")]


def _show(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        text = Text(plain(finding.detail))
        if not finding.ok and finding.advice:
            text.append(f"\n→ {plain(finding.advice)}", style="bold")
        mark = Text("ok", style="green") if finding.ok else Text("!!", style="bold red")
        table.add_row(mark, Text(finding.name), text)
    out = console()
    print_table(table)
    wrong = sum(not finding.ok for finding in findings)
    out.print()
    if wrong:
        out.print(Text(f"{wrong} of {len(findings)} need a look", style="bold red"))
    else:
        out.print(Text("all is well", style="bold green"))
