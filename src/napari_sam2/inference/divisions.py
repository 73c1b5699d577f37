"""When one object has become two: decided from areas and places alone, no image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.errors import Sam2Error

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DivisionPolicy:
    """What counts as a division.

    Attributes
    ----------
    alike
        The smaller daughter has at least this share of the larger one's area.
    each
        A daughter has at most this share of the mother's area before.
    together
        Both have at most so many times the mother's area; a neighbour that comes into view adds more.
    at_least
        And at least so many times.
    near
        Daughters lie mostly within the mother's mask, wider by so many times her radius.
    age
        A mother has been seen on so many frames at least: what flickers does not divide.
    """

    alike: float = 0.5
    each: float = 0.75
    together: float = 1.4
    at_least: float = 0.5
    near: float = 0.5
    age: int = 3

    def __post_init__(self) -> None:
        for name in ("alike", "each"):
            if not 0 <= getattr(self, name) <= 1:
                raise Sam2Error(f"{name} is a share from 0 to 1, got {getattr(self, name)}.")
        if not 0 <= self.at_least <= self.together:
            raise Sam2Error(f"at_least lies from 0 to together, got {self.at_least} and {self.together}.")
        if not self.near >= 0 or self.age < 0:
            raise Sam2Error(f"near and age are 0 or more, got {self.near} and {self.age}.")


def are_daughters(first: int, second: int, mother: int, policy: DivisionPolicy) -> bool:
    """Whether two areas, in pixels, can be the daughters of a mother of a third."""
    small, large = sorted((first, second))
    return (
        small > 0
        and small >= policy.alike * large
        and large <= policy.each * mother
        and policy.at_least * mother <= small + large <= policy.together * mother
    )


def zone(mask: Mask, near: float) -> Mask:
    """Return where the daughters of a mother with a mask (h, w) are looked for."""
    if not mask.any():
        return mask
    reach = near * float(np.sqrt(mask.sum() / np.pi))
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    room = int(reach) + 1
    part = (
        slice(max(0, rows[0] - room), rows[-1] + room + 1),
        slice(max(0, columns[0] - room), columns[-1] + room + 1),
    )
    wide: Mask = np.zeros_like(mask)
    wide[part] = ndimage.distance_transform_edt(~mask[part]) <= reach
    return wide


def pieces(mask: Mask) -> list[Mask]:
    """Return the connected pieces of a mask (h, w), largest first."""
    parts, count = ndimage.label(mask)
    sizes = np.bincount(parts.ravel())[1:]
    return [parts == 1 + index for index in np.argsort(-sizes, kind="stable")[:count]]


def daughters(
    labels: npt.NDArray[Any], free: npt.NDArray[Any], mother: Mask, area: int, policy: DivisionPolicy
) -> tuple[int, ...]:
    """Return the numbers of two objects that one mother has become, larger first, or nothing.

    Parameters
    ----------
    labels
        Objects of a frame, integers (h, w).
    free
        Numbers of those that may be daughters: no other object continues in them.
    mother
        Where the mother was and is thought to be, (h, w).
    area
        Her area before, in pixels.
    policy
        What counts.
    """
    inside = np.bincount(labels[zone(mother, policy.near)], minlength=int(labels.max()) + 1)
    sizes = np.bincount(labels.ravel())
    near = [int(n) for n in free if n and inside[n] >= 0.5 * sizes[n] > 0]
    near.sort(key=lambda number: -sizes[number])
    if len(near) < 2 or not are_daughters(int(sizes[near[0]]), int(sizes[near[1]]), area, policy):
        return ()
    return near[0], near[1]
