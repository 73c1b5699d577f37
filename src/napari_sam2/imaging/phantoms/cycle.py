"""The life of a nucleus as it looks: condensing, the plate, two bright rods, and death in pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam2.imaging.optics import Floats, Points
from napari_sam2.imaging.phantoms.nuclei import Nucleus, make_nucleus
from napari_sam2.imaging.phantoms.outline import Outline, Patch, coverage

# Frames before (negative) and since a division, and how far the chromatin then is condensed.
BEFORE = ((-6.0, -4.0, -2.6, -1.0), (0.0, 0.25, 1.0, 1.0))
SINCE = ((0.0, 1.0, 2.5, 8.0), (1.0, 0.9, 0.5, 0.0))
PLATE = (0.95, 0.3)  # half axes of a metaphase plate, in radii of the mother
ROD = (0.72, 0.26)  # and of a daughter in anaphase
DAUGHTER = 0.8  # a daughter's radius, in radii of the mother
SHRIVELLED = 0.55  # radius of a dying nucleus, in radii of the living one


@dataclass(frozen=True, slots=True)
class Look:
    """How a nucleus looks on one frame: half axes in pixels, brightness, grain of its chromatin, outline."""

    long: float
    short: float
    brightness: float
    grain: float
    waves: float
    power: float


@dataclass(slots=True, eq=False)
class Cell:
    """A nucleus with its own pace: how lively it moves, and how fast it goes through a division or death."""

    nucleus: Nucleus
    speed: float
    pace: float
    saved: float = 1.0  # condensed chromatin is brighter by this much
    dies: int = 10_000

    def look(self, frame: int) -> Look:
        """Return the half axes, brightness and grain on a frame."""
        n = self.nucleus
        long, short = n.radius / np.sqrt(n.aspect), n.radius * np.sqrt(n.aspect)
        after = float(np.interp((frame - n.born) * self.pace, *SINCE))
        before = float(np.interp((frame - n.divides) * self.pace, *BEFORE)) if frame < n.divides else 0.0
        condensed, thin = (after, ROD) if after > before else (before, PLATE)
        whole = n.radius / DAUGHTER if after > before else n.radius
        dying = float(np.clip(1 + (frame - self.dies) * self.pace / 3, 0, 1))
        round_ = SHRIVELLED * n.radius
        axes = np.array([long, short]) * (1 - condensed) + np.array(thin) * whole * condensed
        axes = axes * (1 - dying) + round_ * dying
        return Look(
            long=float(axes[0]),
            short=float(axes[1]),
            brightness=n.brightness * (1 + 1.9 * self.saved * condensed) * (1 + 1.4 * dying),
            # On its way into the plate the chromatin shows as clumps and threads.
            grain=0.17 + 0.55 * condensed * (1 - condensed) * 4 * 0.5,
            waves=1 - 0.6 * condensed,
            power=2 + 1.5 * condensed * (1 - dying),
        )

    def outline(self, frame: int) -> Outline:
        """Return the outline on a frame."""
        n, look = self.nucleus, self.look(frame)
        waves = look.waves * n.amplitudes
        return Outline(n.center, n.angle, look.long, look.short, waves, n.phases, look.power)

    def light(self, patch: Patch, frame: int) -> Floats:
        """Return the fluorescence on the canvas, where a mean nucleus is 1."""
        look = self.look(frame)
        rows, columns = (np.clip(w * 19 + 24, 0, 47).astype(np.intp) for w in (patch.v, patch.u))
        chromatin = np.clip(1 + np.float32(look.grain) * self.nucleus.texture[rows, columns], 0.2, 2.2)
        dome = np.float32(look.brightness) * (1 - np.float32(0.3) * np.minimum(patch.ratio, 1) ** 2)
        return np.asarray(dome * chromatin * coverage(patch, min(look.long, look.short)), np.float32)

    def step(self, rng: np.random.Generator) -> None:
        """Take one frame's step, at the nucleus' own speed; daughters lose the swing of the division."""
        n = self.nucleus
        n.velocity = 0.8 * n.velocity + rng.normal(0, 0.42 * self.speed, 2)
        n.center = n.center + n.velocity
        n.spin = 0.9 * n.spin + rng.normal(0, 0.012)
        n.angle += n.spin
        n.phases = n.phases + n.drift


@dataclass(slots=True, eq=False)
class Debris:
    """What is left of a dead nucleus: bright crumbs that drift apart and fade. It is no object any more."""

    places: Points
    drift: Points
    radii: Points
    brightness: Points

    def outlines(self) -> list[Outline]:
        """Return a round outline for each crumb."""
        still = np.zeros(5)
        pairs = zip(self.places, self.radii, strict=True)
        return [Outline(place, 0.0, radius, 0.9 * radius, still, still) for place, radius in pairs]

    def step(self, rng: np.random.Generator) -> None:
        """Drift and fade for a frame."""
        self.places = self.places + self.drift + rng.normal(0, 0.3, self.places.shape)
        self.drift, self.brightness = 0.7 * self.drift, 0.95 * self.brightness


def shatter(rng: np.random.Generator, cell: Cell) -> Debris:
    """Return the crumbs of a nucleus that has died."""
    n, count = cell.nucleus, int(rng.integers(3, 8))
    offsets = rng.normal(0, 0.42 * n.radius, (count, 2))
    radii = n.radius * rng.uniform(0.1, 0.27, count) + 0.6
    return Debris(n.center + offsets, 0.2 * offsets, radii, n.brightness * rng.uniform(0.6, 2.6, count))


def part(rng: np.random.Generator, mother: Cell, label: int, frame: int) -> list[Cell]:
    """Return two daughters as bright rods side by side, along the plate, on their way from each other."""
    m = mother.nucleus
    across = np.array([np.cos(m.angle), -np.sin(m.angle)]) * m.radius
    gap, swing, daughters = rng.uniform(0.35, 0.55), rng.uniform(0.18, 0.32) * mother.pace, []
    for i, side in enumerate((-1, 1)):
        n = make_nucleus(rng, label + i, m.center + side * gap * across, 1, 0)
        n.radius = DAUGHTER * m.radius * rng.uniform(0.93, 1.07)
        n.angle, n.spin = m.angle + rng.normal(0, 0.12), rng.normal(0, 0.06)
        n.brightness = m.brightness * rng.uniform(0.85, 1.1)
        n.velocity = 0.3 * m.velocity + side * swing * across
        n.born = frame
        daughters.append(Cell(n, mother.speed * rng.uniform(0.6, 1.6), mother.pace, mother.saved))
    return daughters
