"""Colours that can be told from what they lie on."""

from __future__ import annotations

from dataclasses import dataclass

LEGIBLE = 2.5
"""Contrast ratio (WCAG 2) of lines and marks; 3 is asked of graphics, but these have words beside."""


@dataclass(frozen=True, slots=True)
class Ink:
    """Red, green and blue, 0 to 1."""

    red: float
    green: float
    blue: float

    @property
    def luminance(self) -> float:
        """Relative luminance of sRGB, 0 to 1."""
        return 0.2126 * _linear(self.red) + 0.7152 * _linear(self.green) + 0.0722 * _linear(self.blue)

    def mixed(self, other: Ink, share: float) -> Ink:
        """Return this colour with so much of another one, 0 to 1."""
        return Ink(
            self.red + (other.red - self.red) * share,
            self.green + (other.green - self.green) * share,
            self.blue + (other.blue - self.blue) * share,
        )


def contrast(one: Ink, other: Ink) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    low, high = sorted((one.luminance, other.luminance))
    return (high + 0.05) / (low + 0.05)


def legible(ink: Ink, ground: Ink, text: Ink) -> Ink:
    """Return a colour with as little of the text's in it as makes it legible on the ground.

    Parameters
    ----------
    ink
        The colour that is wanted.
    ground, text
        Of the theme; text is taken for legible.
    """
    mixed = (ink.mixed(text, step / 10) for step in range(10))
    return next((one for one in mixed if contrast(one, ground) >= LEGIBLE), text)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
