"""Counts what the network does, in whatever process: a line for every frame that is encoded.

Workers of Dask load this module first; other processes import it.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

LOG = "COUNT_ENCODED_FRAMES_IN"


def fingerprint(pixels: Any) -> str:
    """Tell one frame, as the network sees it, from another."""
    return f"{zlib.crc32(pixels.contiguous().numpy().tobytes()):08x}"


def install() -> None:
    from napari_sam2.model.sam2 import SAM2

    encode = SAM2.encode

    def counted(self: SAM2, pixels: Any) -> Any:
        with open(os.environ[LOG], "a") as file:
            file.write(f"{os.getpid()} {fingerprint(pixels)}\n")
        return encode(self, pixels)

    SAM2.encode = counted  # type: ignore[method-assign]


def counted_lines(log: Path) -> list[tuple[int, str]]:
    """Return process and frame of every line."""
    if not log.exists():
        return []
    *lines, _ = log.read_text().split("\n")
    return [(int(line.split()[0]), line.split()[1]) for line in lines]


if LOG in os.environ:
    install()
