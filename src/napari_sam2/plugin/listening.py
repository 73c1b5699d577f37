"""Widgets that listen to what outlives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from psygnal import SignalInstance
from qtpy.QtCore import QObject


def listen(listener: QObject, signal: SignalInstance, method: Callable[..., object]) -> None:
    """Connect a method of a widget to a signal until the widget is destroyed.

    Qt may destroy it, with its dock, long before Python forgets it; a method called in between would fail,
    and nobody after it would hear the signal.

    Parameters
    ----------
    listener
        The widget.
    signal
        What it listens to; all of its arguments are passed on.
    method
        Of the widget.
    """
    weak = WeakMethod(method)

    def hear(*told: Any) -> None:
        found = weak()
        if found is not None:
            found(*told)

    signal.connect(hear)
    listener.destroyed.connect(lambda: signal.disconnect(hear, missing_ok=True))
