"""Progress on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam2.model.families import ImageModel
    from napari_sam2.model.sam2 import SAM2


def frames_bar(total: int) -> Any:
    """Return a bar of frames on stderr; it stays away where stderr is no terminal."""
    from tqdm import tqdm

    return tqdm(total=total, unit="frame", disable=None)


class DownloadBar:
    """A bar of bytes that appears with the first piece; call it as a `Progress`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: Any = None

    def __call__(self, done: int, total: int | None) -> None:
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(
                total=total, unit="B", unit_scale=True, unit_divisor=1000, desc=self._name, disable=None
            )
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> DownloadBar:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.close()


def load(name: str, device: str | None) -> SAM2:
    """Load a model that can follow objects, showing the download where there is one."""
    from napari_sam2.model.families import tracking

    return tracking(load_for_images(name, device))


def load_for_images(name: str, device: str | None) -> ImageModel:
    """Load a model of any family, showing the download where there is one."""
    from napari_sam2.io.checkpoints import load_model

    with DownloadBar(name) as bar:
        return load_model(name, device, progress=bar)
