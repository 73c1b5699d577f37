"""How long one thread of Python may keep the others waiting while objects are followed."""

from __future__ import annotations

import sys

# The worker asks for Python's lock after every operation of the network, and napari's drawing gives it back
# only when this time is over (docs/explain/worker.md).
SHORT = 0.0005


class TurnTaking:
    """Shortens the turns of threads for as long as something is running."""

    def __init__(self) -> None:
        self._before: float | None = None

    def hurry(self, running: bool) -> None:
        """Take short turns, or go back to those that there were."""
        if running and self._before is None:
            self._before = sys.getswitchinterval()
            sys.setswitchinterval(min(SHORT, self._before))
        elif not running and self._before is not None:
            sys.setswitchinterval(self._before)
            self._before = None
