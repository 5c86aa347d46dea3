"""Typos in `%currant`: every sub-command and every flag, each told with the word that was meant. No kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.error import UsageError

from currant_lab.notebook import words

ARGUMENTS = {
    "resize": " 3", "pause": " q", "resume": " q", "submit": " f(1)", "signal": " x y", "fork": " x --step 1",
} | dict.fromkeys(("show", "logs", "retry", "cancel"), " x")  # fmt: skip


def typos(word: str) -> Iterator[str]:
    """A letter too few, one too many, two swapped."""
    yield word[:-1]
    yield word + "s"
    yield word[:3] + word[4:5] + word[3:4] + word[5:]


def parse(word: str, flag: str) -> None:
    rest = flag + ARGUMENTS.get(word, "")
    words.split_call(rest) if word == "submit" else words.parse(f"{word} {rest}")


@pytest.mark.parametrize("word", words.known_words())
def test_a_typo_in_a_word_or_a_flag_of_it(word: str) -> None:
    for typo in {*typos(word), word.upper()} - {word}:
        with pytest.raises(UsageError) as told:
            words.parse(typo + ARGUMENTS.get(word, ""))
        assert str(told.value) == f"%currant: there is no `{typo}`; did you mean `{word}`?"
    for flag in words.flags(word):
        for typo in {*typos(flag), flag.upper()} - {flag}:
            if any(other.startswith(typo) for other in words.flags(word)):
                continue  # a beginning is enough, as argparse has it
            with pytest.raises(UsageError) as told:
                parse(word, typo)
            expected = f"%currant {word}: unrecognized arguments: {typo}"
            assert str(told.value).startswith(expected), (typo, str(told.value))
            assert str(told.value).endswith(f"; did you mean `{flag}`? `%currant {word} -h` tells more")


def test_a_typo_in_a_flag_of_a_cell() -> None:
    for flag in words.flags(None):
        for typo in {*typos(flag), flag.upper()} - {flag}:
            if any(other.startswith(typo) for other in words.flags(None)):
                continue
            with pytest.raises(UsageError, match=rf"did you mean `{flag}`\?"):
                words.parse_cell(typo)


def test_what_is_nothing_like_a_word_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"there is no `xyzzy`; there are start, stop, status,"):
        words.parse("xyzzy")
    with pytest.raises(UsageError, match=r"unrecognized arguments: --xyzzy\. `%currant start -h` tells more"):
        words.parse("start --xyzzy")
