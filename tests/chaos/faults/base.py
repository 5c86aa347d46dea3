"""What every fault has."""

from __future__ import annotations

from typing import ClassVar

from tests.chaos.world import World


class Fault:
    """One way to break a world. `inject` breaks it and lets time pass; `heal` mends it."""

    is_lasting: ClassVar[bool] = False
    """Whether others may be injected while it lasts."""

    leaves_server: ClassVar[bool] = True
    """Whether the server and the way to it stay as they are: then a rescue takes only its own time."""

    def __init__(self, world: World) -> None:
        self.world = world

    def inject(self) -> None:
        """Break something; returns when it has been broken for long enough."""
        raise NotImplementedError

    def heal(self) -> None:
        """Mend it. Nothing to do for most."""
