"""The fewest things to say."""

import pytest

from napari_sam2.plugin.prompt_edits import Edit, Given, Key, edits
from napari_sam2.prompts import Box, Click

A, B = Key(0, 1), Key(3, 2)
ONE, TWO, MINUS = Click(1, 2), Click(3, 4), Click(5, 6, positive=False)
BOX, OTHER = Box(0, 0, 5, 5), Box(1, 1, 6, 6)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {}, []),
        ({}, {A: Given((ONE,))}, [Edit(A, Given((ONE,)), False)]),
        ({A: Given((ONE,))}, {A: Given((ONE, MINUS))}, [Edit(A, Given((MINUS,)), False)]),
        ({A: Given((ONE,))}, {A: Given((ONE,), BOX)}, [Edit(A, Given((), BOX), False)]),
        ({A: Given((ONE, TWO))}, {A: Given((TWO,))}, [Edit(A, Given((TWO,)), True)]),
        ({A: Given((ONE,))}, {A: Given((TWO,))}, [Edit(A, Given((TWO,)), True)]),
        ({A: Given((), BOX)}, {A: Given((), OTHER)}, [Edit(A, Given((), OTHER), True)]),
        ({A: Given((ONE,), BOX)}, {A: Given((ONE,))}, [Edit(A, Given((ONE,)), True)]),
        ({A: Given((ONE,))}, {}, [Edit(A, Given(), True)]),
        (
            {A: Given((ONE,))},
            {B: Given((ONE,))},
            [Edit(A, Given(), True), Edit(B, Given((ONE,)), False)],
        ),
        ({A: Given((ONE,))}, {A: Given((ONE,))}, []),
    ],
)
def test_edits(before: dict[Key, Given], after: dict[Key, Given], said: list[Edit]) -> None:
    assert edits(before, after) == said
