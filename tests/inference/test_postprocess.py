"""Holes and overlaps, by hand-made cases."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_sam2.inference.postprocess import HOLE_LOGIT, STRAY_LOGIT, drop_strays, fill_holes, separate


def picture(*rows: str) -> Tensor:
    """Logits (1, 1, h, w): ``#`` is inside at 3, ``.`` outside at -2, ``0`` exactly on the threshold."""
    values = {"#": 3.0, ".": -2.0, "0": 0.0}
    return torch.tensor([[[[values[c] for c in row] for row in rows]]])


def drawn(logits: Tensor) -> list[str]:
    names = {3.0: "#", -2.0: ".", 0.0: "0"}
    return [
        "".join("+" if v == pytest.approx(HOLE_LOGIT) else names[v] for v in row)
        for row in logits[0, 0].tolist()
    ]


@pytest.mark.parametrize(
    ("area", "before", "after"),
    [
        pytest.param(
            1,
            ["......", ".####.", ".#.##.", ".####.", "......"],
            ["......", ".####.", ".#+##.", ".####.", "......"],
            id="one pixel",
        ),
        pytest.param(
            2,
            ["########", "#..#...#", "########", "......##"],
            ["########", "#++#...#", "########", "......##"],
            id="exactly the area, not one more",
        ),
        pytest.param(
            3,
            ["#####", "#.###", "##.##", "###.#", "#####"],
            ["#####", "#+###", "##+##", "###+#", "#####"],
            id="corners connect, all three are filled",
        ),
        pytest.param(
            2,
            ["#####", "#.###", "##.##", "###.#", "#####"],
            ["#####", "#.###", "##.##", "###.#", "#####"],
            id="corners connect, so three are too many",
        ),
        pytest.param(
            2,
            ["##..", "####", "####", ".###"],
            ["##++", "####", "####", "+###"],
            id="islands at the border count",
        ),
        pytest.param(1, ["###", "#0#", "###"], ["###", "#+#", "###"], id="zero is background"),
        pytest.param(
            4, ["#.#.", ".##.", "####", "####"], ["#+#+", "+##+", "####", "####"], id="several at once"
        ),
        pytest.param(0, ["###", "#.#", "###"], ["###", "#.#", "###"], id="switched off"),
        pytest.param(3, ["....", "....", "...."], ["....", "....", "...."], id="nothing in view"),
        pytest.param(3, ["####", "####"], ["####", "####"], id="no background"),
    ],
)
def test_fill_holes(area: int, before: list[str], after: list[str]) -> None:
    logits = picture(*before)
    kept = logits.clone()
    assert drawn(fill_holes(logits, area)) == after
    assert torch.equal(logits, kept), "the given logits are left alone"


def test_every_mask_is_filled_by_itself() -> None:
    ring, solid = picture("###", "#.#", "###"), picture("...", "...", "..#")
    both = torch.cat((torch.cat((ring, solid), dim=1), torch.cat((solid, ring), dim=1)))
    filled = fill_holes(both, 1)
    assert drawn(filled[0:1, 0:1]) == drawn(filled[1:2, 1:2]) == ["###", "#+#", "###"]
    assert torch.equal(filled[0, 1], both[0, 1])
    assert torch.equal(filled[1, 0], both[1, 0])


def test_separate_leaves_a_pixel_to_the_highest() -> None:
    logits = torch.tensor([[[4.0, -3.0, -20.0, 2.0]], [[5.0, -2.0, -30.0, -15.0]]])
    assert separate(logits).tolist() == [[[-10.0, -10.0, -20.0, 2.0]], [[5.0, -2.0, -30.0, -15.0]]]


def test_separate_gives_a_tie_to_one() -> None:
    tied = separate(torch.full((3, 2, 2), 1.5))
    assert ((tied > 0).sum(dim=0) == 1).all()


@pytest.mark.parametrize("count", [0, 1])
def test_separate_has_nothing_to_do_for_one_object(count: int) -> None:
    logits = torch.randn(count, 3, 3)
    assert torch.equal(separate(logits), logits)


def two_pieces() -> Tensor:
    """A mask of two squares, the second without meeting the first, in logits (1, 1, 12, 12)."""
    logits = torch.full((1, 1, 12, 12), -3.0)
    logits[..., 1:4, 1:4] = 2.0
    logits[..., 7:11, 7:11] = 5.0
    return logits


def place(*cells: tuple[int, int]) -> Tensor:
    wanted = torch.zeros(1, 12, 12, dtype=torch.bool)
    for row, column in cells:
        wanted[0, row, column] = True
    return wanted


def test_a_piece_that_nobody_wanted_goes() -> None:
    before = two_pieces()
    after = drop_strays(before, place((2, 2), (5, 5)))
    assert (after[..., 7:11, 7:11] == STRAY_LOGIT).all()
    kept = torch.ones(12, 12, dtype=torch.bool)
    kept[7:11, 7:11] = False
    torch.testing.assert_close(after[..., kept], before[..., kept], rtol=0, atol=0)


def test_all_pieces_that_are_wanted_stay() -> None:
    before = two_pieces()
    assert drop_strays(before, place((1, 1), (10, 10))) is before


def test_where_nothing_meets_everything_stays() -> None:
    before = two_pieces()
    assert drop_strays(before, place((5, 5))) is before


def test_every_row_has_its_own_place() -> None:
    logits = torch.cat((two_pieces(), two_pieces()))
    after = drop_strays(logits, torch.cat((place((2, 2)), place((8, 8)))))
    areas = (after > 0).flatten(1).sum(1).tolist()
    assert areas == [9, 16]
