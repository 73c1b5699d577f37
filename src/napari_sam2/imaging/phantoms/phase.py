"""Cells in phase contrast: grey on grey, spindly or spread, with halos; rounded ones shine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_sam2.imaging.optics import Counts, Floats, camera, texture, veil, waves
from napari_sam2.imaging.phantoms.nuclei import Nucleus, make_nucleus
from napari_sam2.imaging.phantoms.outline import Outline, claim, coverage, keep_whole, scatter, separate
from napari_sam2.imaging.phantoms.phantom import Phantom, check_room


@dataclass(slots=True, eq=False)
class _Adherent:
    """A cell on glass: its body, how rounded it is (0 spread, 1 a ball), and how its arms reach out."""

    body: Nucleus
    roundness: float
    settling: float
    reach: float
    bend: float

    def outline(self) -> Outline:
        b, flat = self.body, 1 - self.roundness
        aspect = b.aspect * flat + 0.95 * self.roundness
        radius = b.radius * (1 - 0.35 * self.roundness)
        long, short = radius / np.sqrt(aspect), radius * np.sqrt(aspect)
        arms = flat * self.reach * b.amplitudes
        return Outline(b.center, b.angle, long, short, arms, b.phases, bend=flat * self.bend)


def phase_contrast(rng: np.random.Generator, thickness: Floats, halo: float, strength: float) -> Floats:
    """Return what phase contrast shows of optical thickness (H, W) in radians, 1 for nothing.

    The phase ring also dims the light diffracted at small angles. A body therefore stands out against a
    blurred copy of itself: dark inside, a bright halo outside, shaded off towards its middle (the model of
    Yin et al., Medical Image Analysis 2012).

    Parameters
    ----------
    thickness
        Phase delay in radians.
    halo
        Width of the halo in pixels.
    strength
        Contrast, 0 to 1.
    """
    delay = thickness - veil(thickness, halo)
    delay += np.float32(0.02) * texture(rng, thickness.shape[0], thickness.shape[1], 1.2)
    return np.asarray(1 - np.float32(strength) * np.sin(delay), np.float32)


def phase_cells(
    frames: int = 8,
    height: int = 192,
    width: int = 192,
    objects: int = 8,
    seed: int = 0,
    radius: float = 16.0,
    speed: float = 1.2,
    photons: float = 1500.0,
) -> Phantom:
    """Return crawling cells in phase contrast, with halos, granules and nuclei; now and then one rounds up.

    Parameters
    ----------
    frames, height, width
        Size of the scene (T, H, W).
    objects
        Cells, labelled from 1.
    seed
        The same seed gives the same scene.
    radius, speed
        Mean radius in pixels, and typical movement in pixels a frame.
    photons
        Photons a pixel from the bare ground: fewer are noisier.

    Raises
    ------
    ImageError
        The cells do not fit the frame.
    """
    check_room(frames, height, width, objects, radius)
    rng = np.random.default_rng(seed)
    size = np.array([height, width], dtype=float)
    cells = [
        _adherent(rng, label, center, radius)
        for label, center in enumerate(scatter(rng, objects, size, 2.4 * radius), 1)
    ]
    # Dust and unevenness of the glass stay where they are.
    glass = 1 + 0.05 * waves(rng, (height, width), (70, 70)) + 0.012 * texture(rng, height, width, 3)
    halo, strength = radius * rng.uniform(0.16, 0.34), rng.uniform(0.4, 0.8)
    images, labels = np.empty((2, frames, height, width), np.uint16)
    for t in range(frames):
        centers = np.array([cell.body.center for cell in cells]).reshape(-1, 2)
        extent = np.array([0.8 * cell.body.radius for cell in cells])
        for cell, center in zip(cells, separate(centers, extent, 0 * size, size - 1), strict=True):
            cell.body.center = center
        thickness, labels[t] = _draw(cells, height, width)
        seen = glass * phase_contrast(rng, thickness, halo, strength)
        images[t] = camera(rng, np.asarray(seen, np.float32), photons)
        for cell in cells:
            _crawl(rng, cell, speed)
    return Phantom(images, labels, {})


def _adherent(rng: np.random.Generator, label: int, center: np.ndarray, radius: float) -> _Adherent:
    body = make_nucleus(rng, label, center, radius, 0)
    body.aspect = rng.choice([rng.uniform(0.14, 0.35), rng.uniform(0.4, 0.9)])
    body.drift = body.drift * 0.7
    rounded = bool(rng.random() < 0.18)
    settling = rng.uniform(-0.3, 0) if rounded else rng.choice([0.0, 0.0, 0.0, 0.12])
    bend = rng.normal(0, 0.7)
    return _Adherent(body, 0.95 if rounded else 0.0, float(settling), rng.uniform(1.5, 5.0), bend)


def _crawl(rng: np.random.Generator, cell: _Adherent, speed: float) -> None:
    b, free = cell.body, 1 - 0.8 * cell.roundness
    along = np.array([np.sin(b.angle), np.cos(b.angle)])
    kick = rng.normal(0, 0.3, 2) + rng.normal(0, 0.6) * along * (1.3 - b.aspect)
    b.velocity = 0.85 * b.velocity + speed * free * kick
    b.center = b.center + b.velocity
    b.angle += rng.normal(0, 0.05)
    b.phases = b.phases + b.drift
    b.aspect = float(np.clip(b.aspect * np.exp(rng.normal(0, 0.05)), 0.13, 0.95))
    cell.bend += rng.normal(0, 0.05)
    cell.reach = float(np.clip(cell.reach * np.exp(rng.normal(0, 0.08)), 1, 6.0))
    cell.roundness = float(np.clip(cell.roundness + cell.settling, 0, 0.95))


def _draw(cells: list[_Adherent], height: int, width: int) -> tuple[Floats, Counts]:
    """Return the optical thickness in radians, and the labels."""
    thickness, best = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    labels = np.zeros((height, width), np.uint16)
    for cell in cells:
        outline, body = cell.outline(), cell.body
        patch = outline.patch(height, width)
        if patch.ratio.size == 0:
            continue
        claim(body.label, patch, labels, best)
        rows, columns = (np.clip(w * 19 + 24, 0, 47).astype(np.intp) for w in (patch.v, patch.u))
        height_ = 1 - np.minimum(patch.ratio, 1) ** 2
        # A flat cell is a low plateau with its nucleus in the middle; a ball gathers light like a lens.
        nucleus = np.exp(-(((patch.u / 0.34) ** 2 + (patch.v / 0.45) ** 2) ** 2))
        flat = 0.6 + 0.3 * height_ + 0.4 * nucleus + 0.2 * body.texture[rows, columns]
        ball = 1.6 - 5 * height_
        delay = body.brightness**0.5 * ((1 - cell.roundness) * flat + cell.roundness * ball)
        inside = coverage(patch, outline.short)
        thickness[patch.rows, patch.columns] = np.where(
            inside > 0, delay * inside, thickness[patch.rows, patch.columns]
        )
    keep_whole(labels)
    return np.asarray(ndimage.gaussian_filter(thickness, 0.7), np.float32), labels
