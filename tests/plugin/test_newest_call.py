"""Calls off the GUI thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.plugin.stand_in import application, rest, wait


@pytest.fixture
def ended() -> list[Any]:
    return []


@pytest.fixture
def newest(ended: list[Any]) -> Any:
    application()
    from napari_sam2.plugin.newest_call import NewestCall

    return NewestCall(ended.append, lambda error: ended.append(str(error)))


def gated(gate: threading.Event, value: int) -> Callable[[], int]:
    def call() -> int:
        assert gate.wait(20)
        return value

    return call


def test_of_those_that_wait_only_the_newest_is_made(newest: Any, ended: list[Any]) -> None:
    gate = threading.Event()
    for value in range(5):
        newest.ask(gated(gate, value))
        if value == 0:
            wait(lambda: newest._next is None)
    gate.set()
    wait(lambda: len(ended) == 2)
    rest(0.1)
    assert ended == [0, 4]


def test_calls_are_made_elsewhere_and_told_here(newest: Any, ended: list[Any]) -> None:
    here = threading.current_thread()
    told: list[threading.Thread] = []
    newest._on_result = lambda thread: told.append(threading.current_thread()) or ended.append(thread)
    newest.ask(threading.current_thread)
    wait(lambda: ended)
    assert ended[0] is not here
    assert told == [here]
    wait(lambda: not ended[0].is_alive())


def test_errors_are_told(newest: Any, ended: list[Any]) -> None:
    newest.ask(lambda: 1 // 0)
    wait(lambda: ended)
    assert "zero" in ended[0]
    newest.ask(lambda: "goes on")
    wait(lambda: len(ended) == 2)


def test_what_is_forgotten_is_told_to_nobody(newest: Any, ended: list[Any]) -> None:
    gate = threading.Event()
    newest.ask(gated(gate, 1))
    wait(lambda: newest._next is None)
    newest.ask(gated(gate, 2))
    newest.forget()
    newest.ask(gated(gate, 3))
    gate.set()
    wait(lambda: ended)
    rest(0.1)
    assert ended == [3]


def test_a_widget_that_is_gone_does_no_harm(newest: Any, ended: list[Any]) -> None:
    gate, done = threading.Event(), threading.Event()

    def call() -> None:
        assert gate.wait(20)
        done.set()

    from qtpy.QtCore import QCoreApplication, QEvent

    gone: list[int] = []
    newest.destroyed.connect(lambda: gone.append(1))
    newest.ask(call)
    newest.deleteLater()
    QCoreApplication.sendPostedEvents(newest, QEvent.Type.DeferredDelete.value)
    assert gone
    gate.set()
    wait(done.is_set)
    wait(lambda: not newest._running)
    assert ended == []
