"""Where and how a training runs; what it learns is another matter."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_sam2.training.ranks import Ranks


@dataclass(frozen=True, slots=True)
class Run:
    """Circumstances of a run.

    Attributes
    ----------
    device
        Where the network computes.
    seed
        Together with the number of a step it decides everything that is drawn.
    workers
        Background processes that prepare clips; the clips are the same for any number.
    save_seconds
        Time between checkpoints.
    ranks
        This process among those of torchrun.
    """

    device: str = "cpu"
    seed: int = 0
    workers: int = 0
    save_seconds: float = 60.0
    ranks: Ranks = field(default_factory=Ranks)
