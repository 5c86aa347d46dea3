"""`python -m tests.security.licences`: everything that is installed or compiled in, with its version and licence."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
TOPS = ("currant-lab", "currant-tui")
EXTRAS = {"notebook", "frames", "kernel-loop", "dask", "uvloop", "all", "web"}
KNOWN = {
    "apache", "apache-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "0bsd", "bsl-1.0", "cc0-1.0", "cdla-permissive-2.0",
    "hpnd", "isc", "mit", "mit-0", "mit-cmu", "mpl-2.0", "postgresql", "psf", "psf-2.0", "python-2.0", "unicode-3.0",
    "unlicense", "zlib",
}  # fmt: skip
"""What may be used by a program under the MIT licence; MPL-2.0 as a library, unchanged."""

_WORDS = {
    "mozilla public license": "mpl-2.0", "python software foundation": "psf", "postgresql": "postgresql",
    "apache": "apache", "bsd": "bsd", "isc": "isc", "mit": "mit", "zlib": "zlib", "unlicense": "unlicense",
}  # fmt: skip


def python() -> dict[str, tuple[str, str]]:
    """Version and licence of each Python distribution that ours need, ours left out."""
    found: dict[str, tuple[str, str]] = {}
    waiting = [(name, frozenset(EXTRAS)) for name in TOPS]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform, or an extra that isn't installed
        if name not in TOPS:
            found[name] = (package.version, _licence(package))
        for text in package.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
                waiting.append((_normal(needed.name), frozenset(needed.extras)))
    return found


def rust() -> dict[str, tuple[str, str]]:
    """The same of each crate that the engine is built from on this platform."""
    said = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--locked", "--all-features"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    packages = {one["id"]: one for one in json.loads(said.stdout)["packages"]}
    return {
        one["name"]: (one["version"], one["license"] or "unknown")
        for one in packages.values()
        if one["source"] is not None
    }


def is_known(licence: str) -> bool:
    """Whether one of the licences it may be had under is one of `KNOWN`; each of those joined by AND must be."""
    plain = licence.lower().replace("/", " or ").replace("(", " ").replace(")", " ")
    plain = re.sub(r"\s+with\s+llvm-exception", "", plain)
    return any(all(part.strip() in KNOWN for part in re.split(r"\band\b", way)) for way in re.split(r"\bor\b", plain))


def _licence(package: Distribution) -> str:
    said = package.metadata
    if said.get("License-Expression"):
        return str(said["License-Expression"])
    classifiers = " ".join(
        text.split("::")[-1] for text in said.get_all("Classifier") or () if text.startswith("License ::")
    )
    text = f"{classifiers} {(said.get('License') or '')[:200]}".lower()
    return next((name for words, name in _WORDS.items() if words in text), text.strip() or "unknown")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    for what, found in (("Python", python()), ("Rust", rust())):
        print(f"{what}: {len(found)}")
        for name, (version, licence) in sorted(found.items()):
            print(f"  {name:32} {version:14} {licence}")


if __name__ == "__main__":
    main()
