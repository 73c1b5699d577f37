"""Crowded fluorescent nuclei, dim beside saturated, that divide and die as they do in cultures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam2.errors import ImageError
from napari_sam2.imaging.optics import Counts, Floats, Points, blur, camera, illumination
from napari_sam2.imaging.phantoms.cycle import Cell, Debris, part, shatter
from napari_sam2.imaging.phantoms.nuclei import make_nucleus
from napari_sam2.imaging.phantoms.outline import claim, coverage, keep_whole, separate
from napari_sam2.imaging.phantoms.phantom import Phantom, check_divisions, check_room


@dataclass(frozen=True, slots=True)
class Stain:
    """How nuclei shine and how the microscope shows them.

    Parameters
    ----------
    spread
        Deviation of the logarithm of brightness: 0.3 is even, 1 puts dim beside saturated.
    photons
        Photons a pixel from a nucleus of mean brightness: fewer are noisier.
    ground
        Light between the nuclei, in units of a mean nucleus: 0.05 is clean, 0.6 of low contrast.
    sharp, wide, share
        Deviations of the core and the foot of the blur in pixels, and what part of the light the foot has.
    """

    spread: float = 0.6
    photons: float = 120.0
    ground: float = 0.08
    sharp: float = 1.0
    wide: float = 5.0
    share: float = 0.2


def crowded_nuclei(
    frames: int = 8,
    height: int = 192,
    width: int = 192,
    objects: int = 24,
    divisions: int = 3,
    deaths: int = 1,
    seed: int = 0,
    radius: float = 9.0,
    speed: float = 0.8,
    crowding: float = 0.6,
    stain: Stain | None = None,
) -> Phantom:
    """Return nuclei in clumps, each with its own brightness and way, some of which divide or die.

    Before a division the chromatin condenses into a bright plate; the two daughters leave it as bright rods
    and swell. A mother's label ends on the frame before. A dying nucleus shrinks, brightens and ends: its
    crumbs are seen, but belong to nobody. Where nuclei overlap their light adds up, and a pixel belongs to
    the one whose middle is nearer. Objects may leave the frame and come back.

    Parameters
    ----------
    frames, height, width
        Size of the scene (T, H, W).
    objects, divisions, deaths
        Nuclei on the first frame, labelled from 1; how many of them divide, and how many others die.
    seed
        The same seed gives the same scene.
    radius, speed
        Mean radius in pixels, and typical movement in pixels a frame.
    crowding
        The share of nuclei that lie against another one, 0 to 1.
    stain
        Brightness, contrast, blur and noise.

    Raises
    ------
    ImageError
        The nuclei do not fit the frame, or the divisions and deaths do not fit the nuclei and frames.
    """
    check_room(frames, height, width, objects, radius, divisions)
    check_divisions(frames, objects, divisions)
    if not 0 <= deaths <= objects - divisions:
        raise ImageError(
            f"{deaths} death(s) beside {divisions} division(s) of {objects} nuclei cannot be: "
            "a nucleus either divides or dies, once."
        )
    stain = stain or Stain()
    rng = np.random.default_rng(seed)
    size = np.array([height, width], dtype=float)
    living = _culture(rng, objects, size, radius, speed, crowding, stain.spread)
    order = rng.permutation(objects)
    for mother in order[:divisions]:
        living[int(mother)].nucleus.divides = int(rng.integers(1, frames))
    for victim in order[divisions : divisions + deaths]:
        living[int(victim)].dies = int(rng.integers(0, frames))
    debris: list[Debris] = []
    light = illumination(rng, height, width)
    images, labels = np.empty((2, frames, height, width), np.uint16)
    parents: dict[int, int] = {}
    for t in range(frames):
        for mother in [cell for cell in living if cell.nucleus.divides == t]:
            daughters = part(rng, mother, objects + len(parents) + 1, t)
            living = [cell for cell in living if cell is not mother] + daughters
            parents.update({cell.nucleus.label: mother.nucleus.label for cell in daughters})
        debris += [shatter(rng, cell) for cell in living if cell.dies < t]
        living = [cell for cell in living if cell.dies >= t]
        _keep_apart(living, size, t)
        signal, labels[t] = _draw(living, debris, height, width, t)
        seen = blur(signal, stain.sharp, stain.wide, stain.share)
        images[t] = camera(rng, (seen + np.float32(stain.ground)) * light, stain.photons)
        for cell in living:
            cell.step(rng)
        for crumbs in debris:
            crumbs.step(rng)
    return Phantom(images, labels, parents)


def _culture(
    rng: np.random.Generator,
    objects: int,
    size: Points,
    radius: float,
    speed: float,
    crowding: float,
    spread: float,
) -> list[Cell]:
    cells: list[Cell] = []
    centers, radii = np.empty((objects, 2)), np.empty(objects)
    for i in range(objects):
        nucleus = make_nucleus(rng, i + 1, size / 2, radius, 0)
        nucleus.brightness = float(np.clip(rng.lognormal(0, spread), 0.12, 5))
        nucleus.aspect = rng.uniform(0.5, 0.97)
        nucleus.amplitudes = nucleus.amplitudes * rng.uniform(0.3, 1.6)
        radii[i] = nucleus.radius
        tries = rng.uniform(-0.02, 1.02, (30, 2)) * size
        if i and rng.random() < crowding:
            beside, turn = rng.integers(0, i, 30), rng.uniform(0, 2 * np.pi, 30)
            away = (radii[beside] + radii[i]) * rng.uniform(0.9, 1.1, 30)
            tries = centers[beside] + away[:, None] * np.stack([np.sin(turn), np.cos(turn)], 1)
        gaps = np.linalg.norm(tries[:, None] - centers[None, :i], axis=2) - 0.9 * (radii[:i] + radii[i])
        free = gaps.min(axis=1, initial=0.0) - 1e3 * ((tries < 0) | (tries > size)).any(1)
        centers[i] = nucleus.center = tries[free.argmax()]
        pace = float(np.exp(rng.normal(0, 0.3)))
        cells.append(Cell(nucleus, speed * float(rng.lognormal(0, 0.6)), pace, rng.uniform(0.4, 1)))
    return cells


def _keep_apart(living: list[Cell], size: Points, frame: int) -> None:
    centers = np.array([cell.nucleus.center for cell in living]).reshape(-1, 2)
    looks = [cell.look(frame) for cell in living]
    extent = np.array([np.sqrt(look.long * look.short) for look in looks])
    beyond = 0.8 * extent[:, None]
    centers = separate(centers, extent, -beyond, size - 1 + beyond, room=0.92)
    for cell, center in zip(living, centers, strict=True):
        cell.nucleus.center = center


def _draw(
    living: list[Cell], debris: list[Debris], height: int, width: int, frame: int
) -> tuple[Floats, Counts]:
    signal, best = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    labels = np.zeros((height, width), np.uint16)
    for cell in living:
        patch = cell.outline(frame).patch(height, width)
        claim(cell.nucleus.label, patch, labels, best)
        signal[patch.rows, patch.columns] += cell.light(patch, frame)
    for crumbs in debris:
        for outline, brightness in zip(crumbs.outlines(), crumbs.brightness, strict=True):
            patch = outline.patch(height, width)
            signal[patch.rows, patch.columns] += np.float32(brightness) * coverage(patch, outline.long)
    keep_whole(labels)
    return signal, labels
