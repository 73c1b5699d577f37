"""Turns are short while something runs, and as before afterwards."""

import sys

from napari_sam2.plugin.turn_taking import SHORT, TurnTaking


def test_there_and_back() -> None:
    before = sys.getswitchinterval()
    turns = TurnTaking()
    turns.hurry(False)
    assert sys.getswitchinterval() == before
    try:
        for _ in range(2):
            turns.hurry(True)
            assert abs(sys.getswitchinterval() - SHORT) < 1e-9
    finally:
        turns.hurry(False)
    assert sys.getswitchinterval() == before
