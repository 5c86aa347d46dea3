"""What we stand on: every dependency has a licence that an MIT program may use, and the direct ones a reason."""

from __future__ import annotations

import tomllib

from packaging.requirements import Requirement

from tests.security.licences import ROOT, is_known, python, rust


def test_every_licence_is_one_we_may_use() -> None:
    packages, crates = python(), rust()
    assert len(packages) > 50
    assert len(crates) > 50
    assert {name: said for name, said in (packages | crates).items() if not is_known(said[1])} == {}


def test_what_is_not_known_is_seen() -> None:
    assert is_known("MIT OR Apache-2.0")
    assert is_known("(MIT OR Apache-2.0) AND Unicode-3.0")
    assert not is_known("GPL-3.0-only")
    assert not is_known("MIT AND GPL-3.0-only")
    assert not is_known("unknown")


def test_the_readme_gives_a_reason_for_each_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tui = tomllib.loads((ROOT / "tui" / "pyproject.toml").read_text())["project"]
    crate = tomllib.loads((ROOT / "native" / "Cargo.toml").read_text())
    wanted = [*project["dependencies"], *tui["dependencies"]]
    for extra in (*project["optional-dependencies"].values(), *tui.get("optional-dependencies", {}).values()):
        wanted += extra
    names = {Requirement(text).name for text in wanted} - {"currant-lab", "currant-tui"} | set(crate["dependencies"])
    table = (ROOT / "README.md").read_text().partition("## Dependencies")[2].partition("\n## ")[0].lower()
    assert [name for name in sorted(names) if name.lower() not in table] == []
