"""Random scenes for training: a family, its parameters and what spoils the recording, all drawn."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from math import pi

import numpy as np

from napari_sam2.imaging import degrade
from napari_sam2.imaging.phantoms import (
    Light,
    Phantom,
    Stain,
    Truth,
    budding_yeast,
    crowded_nuclei,
    em_membranes,
    epithelium,
    filaments,
    nuclei_volume,
    passing_shapes,
    phase_cells,
    rods,
    walled_tissue,
)

MARGIN = 8  # pixels that drift may use up on each side


class Family(Enum):
    """What is seen in a random scene."""

    NUCLEI = "nuclei"
    PHASE_CELLS = "phase cells"
    RODS = "rods"
    YEAST = "yeast"
    EPITHELIUM = "epithelium"
    FILAMENTS = "filaments"
    SHAPES = "shapes"
    NUCLEI_STACK = "nuclei in depth"
    TISSUE_STACK = "tissue in depth"
    EM_STACK = "membranes in depth"


# How often each is drawn where none is asked for.
SHARES = {
    Family.NUCLEI: 0.34,
    Family.PHASE_CELLS: 0.1,
    Family.RODS: 0.07,
    Family.YEAST: 0.07,
    Family.EPITHELIUM: 0.07,
    Family.FILAMENTS: 0.04,
    Family.SHAPES: 0.11,
    Family.NUCLEI_STACK: 0.08,
    Family.TISSUE_STACK: 0.05,
    Family.EM_STACK: 0.07,
}

# What is seen by its own light bleaches; what is seen by a lamp does not.
FLUORESCENT = {Family.NUCLEI, Family.EPITHELIUM, Family.FILAMENTS}


def scene(
    rng: np.random.Generator,
    family: Family | None = None,
    frames: int = 8,
    height: int = 192,
    width: int = 192,
) -> Phantom:
    """Draw a random sequence (T, H, W) or stack (Z, H, W) with random parameters and flaws.

    Parameters
    ----------
    rng
        Where all chance comes from: the same state gives the same scene.
    family
        What is to be seen; drawn by `SHARES` where it is None.
    frames, height, width
        Size of what is returned; 1 frame is a still. Below 64 pixels a side families find no room.

    Raises
    ------
    ImageError
        There is no frame, or it is too small.
    """
    if family is None:
        families = list(SHARES)
        family = families[int(rng.choice(len(families), p=np.array([*SHARES.values()])))]
    wandering = frames > 1 and rng.random() < 0.35
    margin = MARGIN if wandering else 0
    size = frames, height + 2 * margin, width + 2 * margin
    made = _MAKERS[family](rng, *size)
    if wandering:
        made = degrade.drift(made, rng, margin, step=float(rng.uniform(0.3, 3)))
    return spoil(rng, made, bleaching=family in FLUORESCENT)


def spoil(rng: np.random.Generator, phantom: Phantom, bleaching: bool = True) -> Phantom:
    """Return the phantom with some flaws, drawn at random, bleaching only where asked for; its size stays."""
    frames, moving = len(phantom.images), phantom.axes[0] == "T"
    if rng.random() < 0.4:
        phantom = degrade.uneven_light(phantom, rng, float(rng.uniform(0.1, 0.7)))
    if bleaching and moving and frames > 1 and rng.random() < 0.3:
        phantom = degrade.bleach(phantom, rng, float(rng.uniform(0.1, 0.8)))
    if rng.random() < 0.1:
        phantom = degrade.defocus(phantom, rng, 1, float(rng.uniform(1, 3)))
    if moving and frames > 2 and rng.random() < 0.05:
        phantom = degrade.missing_frames(phantom, rng)
    if rng.random() < 0.5:
        phantom = degrade.to_8_bit(phantom, float(10 ** rng.uniform(-2, 0.7)), float(rng.uniform(0, 1)))
    return phantom


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _count(rng: np.random.Generator, area: float, radius: float, low: float, high: float) -> int:
    """Return how many discs of a radius cover a random share of an area: at least one, at most 45."""
    return int(np.clip(rng.uniform(low, high) * area / (pi * radius**2), 1, 45))


def _nuclei(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    radius = _log(rng, 5, min(20, height / 8, width / 8))
    objects = _count(rng, height * width, radius, 0.05, 0.32)
    stain = Stain(
        spread=float(rng.uniform(0.2, 1.1)),
        photons=_log(rng, 12, 500),
        ground=_log(rng, 0.03, 0.6),
        sharp=float(rng.uniform(0.6, 1.8)),
        wide=float(rng.uniform(0.3, 0.8) * radius + 1),
        share=float(rng.uniform(0, 0.45)),
    )
    divisions = min(int(rng.integers(0, 5)), objects // 3) if frames > 1 else 0
    deaths = min(int(rng.integers(0, 3)), objects - divisions) if frames > 1 else 0
    speed, crowding = _log(rng, 0.2, 4), float(rng.uniform(0, 1))
    shape = frames, height, width, objects, divisions, deaths
    return crowded_nuclei(*shape, _seed(rng), radius, speed, crowding, stain)


def _phase(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    radius = _log(rng, 8, min(28, height / 6, width / 6))
    objects = min(_count(rng, height * width, radius, 0.05, 0.35), 25)
    speed, photons = _log(rng, 0.4, 3), _log(rng, 200, 4000)
    return phase_cells(frames, height, width, objects, _seed(rng), radius, speed, photons)


def _rods(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    radius = _log(rng, 3, 7)
    objects = min(_count(rng, height * width, 1.8 * radius, 0.03, 0.3), 30)
    growth, speed = rng.uniform(0.01, 0.12), _log(rng, 0.2, 2)
    light = Light.PHASE if rng.random() < 0.6 else Light.FLUORESCENCE
    photons = _log(rng, 200, 3000) if light is Light.PHASE else _log(rng, 20, 400)
    return rods(frames, height, width, objects, _seed(rng), radius, growth, speed, light, photons)


def _yeast(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    radius = _log(rng, 6, min(18, height / 8, width / 8))
    objects = min(_count(rng, height * width, radius, 0.05, 0.35), 30)
    growth, photons = rng.uniform(0.02, 0.09), _log(rng, 200, 4000)
    return budding_yeast(frames, height, width, objects, _seed(rng), radius, growth, photons)


def _epithelium(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    objects = int(np.clip(height * width / _log(rng, 16, 45) ** 2, 4, 90))
    divisions = int(rng.integers(0, 4)) if frames > 1 else 0
    speed, wall, photons = _log(rng, 0.2, 2), rng.uniform(0.8, 2.2), _log(rng, 15, 400)
    return epithelium(frames, height, width, objects, divisions, _seed(rng), speed, wall, photons)


def _filaments(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    length, thickness = rng.uniform(0.3, 0.8) * min(height, width), rng.uniform(2, 5)
    objects, speed, photons = int(rng.integers(2, 13)), _log(rng, 0.5, 4), _log(rng, 15, 400)
    return filaments(frames, height, width, objects, _seed(rng), thickness, length, speed, photons)


def _shapes(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    radius, objects = _log(rng, 10, min(height, width) / 5), int(rng.integers(2, 10))
    speed, photons = _log(rng, 0.5, 5), _log(rng, 100, 2500)
    return passing_shapes(frames, height, width, objects, _seed(rng), radius, speed, photons)


def _nuclei_stack(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    radius, z_spacing = _log(rng, 6, 18), rng.uniform(1, 4)
    box = frames * z_spacing * height * width
    objects = int(np.clip(rng.uniform(0.05, 0.4) * box / (4.2 * radius**3), 2, 60))
    photons = _log(rng, 12, 300)
    return nuclei_volume(frames, height, width, objects, _seed(rng), radius, z_spacing, photons)


def _tissue_stack(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    objects = int(np.clip(height * width / _log(rng, 16, 50) ** 2, 4, 90))
    z_spacing, wall, photons = rng.uniform(1, 4), rng.uniform(1, 3), _log(rng, 15, 300)
    return walled_tissue(frames, height, width, objects, _seed(rng), z_spacing, wall, photons)


def _em_stack(rng: np.random.Generator, frames: int, height: int, width: int) -> Phantom:
    objects = int(np.clip(height * width / _log(rng, 18, 60) ** 2, 4, 90))
    z_spacing, membrane, photons = rng.uniform(1, 8), rng.uniform(1.2, 2.6), _log(rng, 60, 1500)
    truth = Truth.BODIES if rng.random() < 0.75 else Truth.MITOCHONDRIA
    return em_membranes(frames, height, width, objects, _seed(rng), z_spacing, membrane, truth, photons)


_MAKERS: dict[Family, Callable[[np.random.Generator, int, int, int], Phantom]] = {
    Family.NUCLEI: _nuclei,
    Family.PHASE_CELLS: _phase,
    Family.RODS: _rods,
    Family.YEAST: _yeast,
    Family.EPITHELIUM: _epithelium,
    Family.FILAMENTS: _filaments,
    Family.SHAPES: _shapes,
    Family.NUCLEI_STACK: _nuclei_stack,
    Family.TISSUE_STACK: _tissue_stack,
    Family.EM_STACK: _em_stack,
}
