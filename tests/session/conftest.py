"""One small movie and one small network: what is tested is the way, not the masks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from napari_sam2.imaging.phantoms import Phantom, moving_nuclei
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.session import Session
from tests.conftest import seed_weights

LENGTH = 8


@pytest.fixture(scope="session")
def scene() -> Phantom:
    return moving_nuclei(LENGTH, 64, 72, objects=3, divisions=0, radius=7.0, seed=2)


@pytest.fixture(scope="session")
def network(small_model: SAM2) -> SAM2:
    """Weights under which masks are neither empty nor full, and change from frame to frame."""
    lively = copy.deepcopy(small_model)
    seed_weights(lively, 8)
    return lively


@pytest.fixture
def session(scene: Phantom, network: SAM2) -> Iterator[Session]:
    session = Session(scene.images, network)
    yield session
    session.close()


@pytest.fixture
def middle(scene: Phantom) -> Callable[[int, int], Click]:
    def found(frame: int, label: int) -> Click:
        y, x = np.argwhere(scene.labels[frame] == label).mean(axis=0)
        return Click(float(y), float(x))

    return found


def every_label(session: Session) -> np.ndarray:
    return np.stack([session.labels(frame) for frame in range(len(session))])


def contents(session: Session) -> dict[tuple[int, int], tuple[bytes, float, bool]]:
    """All masks, overlapping or not."""
    return {
        (number, frame): (mask.runs.counts.tobytes(), mask.score, mask.painted)
        for number in session.objects
        for frame, mask in session.masks(number).items()
    }
