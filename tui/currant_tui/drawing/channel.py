"""The lines between two layers of a graph: which of them share a row, and where they turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Net", "Place", "channel"]

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something of a layer stands: its first cell, and how many it takes."""

    x: int
    width: int

    @property
    def middle(self) -> int:
        """The cell in its middle."""
        return self.x + (self.width - 1) // 2


@dataclass(slots=True)
class Net(Generic[K]):
    """Lines that are one: all of `uppers` lead to all of `lowers`.

    Attributes:
        tops: the cells at which it comes from above.
        bottoms: the cells at which it goes on below.
        track: the row, from 0, on which it goes across; -1 where it goes straight down.
    """

    uppers: tuple[K, ...]
    lowers: tuple[K, ...]
    tops: list[int]
    bottoms: list[int]
    track: int = -1

    @property
    def ends(self) -> tuple[int, int]:
        """The first cell of its row and the last."""
        return min(*self.tops, *self.bottoms), max(*self.tops, *self.bottoms)


def channel(
    links: Sequence[tuple[K, K]], above: Mapping[K, Place], below: Mapping[K, Place]
) -> tuple[list[Net[K]], int]:
    """The lines between two layers, and how many rows they need to stay apart: at least one.

    Args:
        links: (upper, lower).
        above: where those of the upper layer stand.
        below: where those of the lower layer stand.
    """
    nets = [Net(uppers, lowers, [], []) for uppers, lowers in _bundles(links)]
    for net, cells in _pins(nets, above, below):
        net.tops.append(cells)
    for net in nets:
        net.bottoms += [below[lower].middle for lower in net.lowers]
        _straighten(net, above, below, nets)
    return nets, _tracks(nets)


def _bundles(links: Sequence[tuple[K, K]]) -> Iterator[tuple[tuple[K, ...], tuple[K, ...]]]:
    """Those below that have the same above go together."""
    uppers: dict[K, list[K]] = defaultdict(list)
    for upper, lower in links:
        uppers[lower].append(upper)
    same: dict[frozenset[K], list[K]] = defaultdict(list)
    for lower, own in uppers.items():
        same[frozenset(own)].append(lower)
    for lowers in same.values():
        yield tuple(uppers[lowers[0]]), tuple(lowers)


def _pins(nets: Sequence[Net[K]], above: Mapping[K, Place], below: Mapping[K, Place]) -> Iterator[tuple[Net[K], int]]:
    """A cell of the upper layer for each line that leaves it: side by side where several leave one box."""
    leaving: dict[K, list[Net[K]]] = defaultdict(list)
    for net in nets:
        for upper in net.uppers:
            leaving[upper].append(net)
    for upper, own in leaving.items():
        place = above[upper]
        own.sort(key=lambda net: sum(below[lower].middle for lower in net.lowers) / len(net.lowers))
        for number, net in enumerate(own, 1):
            at = place.middle if len(own) == 1 else place.x + round((place.width - 1) * number / (len(own) + 1))
            yield net, at


def _straighten(net: Net[K], above: Mapping[K, Place], below: Mapping[K, Place], nets: Sequence[Net[K]]) -> None:
    """A line from one to one turns only where it must."""
    if len(net.uppers) != 1 or len(net.lowers) != 1:
        return
    upper, lower = above[net.uppers[0]], below[net.lowers[0]]
    top, bottom = net.tops[0], net.bottoms[0]
    alone = sum(net.uppers[0] in other.uppers for other in nets) == 1
    if _within(top, lower):
        net.bottoms = [top]
    elif alone and _within(bottom, upper):
        net.tops = [bottom]


def _within(cell: int, place: Place) -> bool:
    return place.x < cell < place.x + place.width - 1 or cell == place.middle


def _tracks(nets: Sequence[Net[K]]) -> int:
    """Give a row to each net that goes across; none lies upon another, as far as that can be had."""
    across = [net for net in nets if net.tops != net.bottoms or len(net.tops) > 1]
    after = {
        id(net): [other for other in across if other is not net and set(other.tops) & set(net.bottoms)]
        for net in across
    }
    waiting = sorted(across, key=lambda net: net.ends)
    count = 0
    while waiting:
        placed = {id(net) for net in across if net.track >= 0}
        ready = [net for net in waiting if all(id(other) in placed for other in after[id(net)])]
        net = (ready or waiting)[0]  # where each would have to be above the other, two lines touch
        waiting.remove(net)
        least = max((other.track + 1 for other in after[id(net)] if other.track >= 0), default=0)
        net.track = next(row for row in range(least, least + len(across) + 1) if _is_free(row, net, across))
        count = max(count, net.track + 1)
    return max(count, 1)


def _is_free(row: int, net: Net[K], others: Sequence[Net[K]]) -> bool:
    left, right = net.ends
    return all(
        other.track != row or other is net or other.ends[1] < left - 1 or right < other.ends[0] - 1 for other in others
    )
