"""Video files as images; every frame is reached exactly, by its number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import sub
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import StorageError
from napari_sam2.io.damage import unreadable
from napari_sam2.io.lazy_array import LazyArray, by_planes
from napari_sam2.io.opened_image import OpenedImage, Spacing
from napari_sam2.io.video_index import VideoIndex

Array = npt.NDArray[Any]


def open_video(path: Path, axes: str | None = None) -> OpenedImage:
    """Open a video: axes TYXC (RGB, 8 bit), or TYX where it is stored gray.

    The file is read once to learn where its frames are; nothing is decoded for that.

    Parameters
    ----------
    path
        .mp4, .mov, .mkv, .avi; the first video stream is taken.
    axes
        As for `open_image`.

    Raises
    ------
    StorageError
        PyAV is missing, or the file is damaged or cut short: how many frames are whole is said.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise StorageError(
            f"{path.name} is a video, and videos are read with PyAV: pip install napari-sam2[video]."
        ) from error
    try:
        container = av.open(str(path))
    except av.error.FFmpegError as error:
        # Without its head (AVI) or its table of contents (MP4, often at the end) nothing can be found.
        raise StorageError(
            f"{path.name} cannot be opened ({error.strerror}), so 0 of its frames are whole: its recording "
            "or its copy was cut short, or it is no video. Copy or export it again."
        ) from error
    try:
        return _image(path, container, axes)
    except BaseException:
        container.close()
        raise


def _image(path: Path, container: Any, axes: str | None) -> OpenedImage:
    if not container.streams.video:
        raise StorageError(f"{path.name} holds no video: choose a file with pictures in it.")
    stream = container.streams.video[0]
    index = VideoIndex.of(_packets(container, stream), not _is_avi(container))
    step = _step(index, stream)
    _refuse_cut(path, container, stream, index, step)
    context = stream.codec_context
    gray = (context.pix_fmt or "").startswith(("gray", "mono"))
    form = "rgb24" if not gray else "gray" if context.pix_fmt in ("gray", "monow", "monob") else "gray16le"
    shape = (context.height, context.width) if gray else (context.height, context.width, 3)
    reader = _VideoReader(path, container, index, form, shape)
    array = LazyArray(
        path.name,
        (len(index), *shape),
        np.uint16 if form == "gray16le" else np.uint8,
        by_planes((len(index),), reader.read),
        container.close,
    )
    spacing = {"T": Spacing(step, "s")} if step else {}
    return OpenedImage(array, "TYX" if gray else "TYXS", axes=axes, spacing=spacing)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    import av

    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:  # the end of a file that was cut short: what came before it counts
        return


def _is_avi(container: Any) -> bool:
    return "avi" in container.format.name.split(",")


def _step(index: VideoIndex, stream: Any) -> float | None:
    """Return the seconds from frame to frame: the middle one of all, as a few may be missing."""
    if index.timed and len(index) > 1:
        return float(median(map(sub, index.times[1:], index.times)) * stream.time_base)
    return float(1 / stream.average_rate) if stream.average_rate else None


def _refuse_cut(path: Path, container: Any, stream: Any, index: VideoIndex, step: float | None) -> None:
    listed = getattr(stream, "index_entries", None) if "mov" in container.format.name.split(",") else None
    # MP4 may number frames of which an edit list leaves out so many that they are not even read.
    promised = len(listed) if listed else stream.frames
    promised = promised - index.hidden if promised else len(index) + index.cut
    if _is_avi(container) and index.decoded is not None and index.decoded + 1 >= stream.frames:
        # AVI counts frames of which nothing was recorded, too; its times are numbers of frames.
        promised = len(index) + index.cut
    if not stream.frames and step and index.timed and len(index):
        # Matroska promises a duration and no number of frames. That of the container holds sound, too. One
        # frame is granted, as writers differ in whether they count the last one.
        words = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
        end = float(index.times[-1] * stream.time_base) + step
        if words:
            seconds = int(words[1]) * 3600 + int(words[2]) * 60 + float(words[3])
        else:
            seconds = container.duration / 1e6 if len(container.streams) == 1 and container.duration else end
        missing = round((seconds - end) / step)
        promised += missing if missing > 1 else 0
    if not len(index) or len(index) < promised:
        raise StorageError(
            f"{path.name} is cut short: {len(index)} of about {promised} frames are whole. "
            "Copy or export it again."
        )


class _VideoReader:
    """Decodes forward as long as that leads to the frame that is asked for, and seeks otherwise."""

    def __init__(
        self, path: Path, container: Any, index: VideoIndex, form: str, shape: tuple[int, ...]
    ) -> None:
        self._path = path
        self._container = container
        self._index = index
        self._form = form
        self._shape = shape
        self._numbers = {time: i for i, time in enumerate(index.times)}
        self._decoded: Iterator[Any] = iter(())
        self._at = len(index)  # the frame that was decoded last; none yet
        self._last: Array | None = None

    def read(self, frame: int) -> Array:
        if frame == self._at and self._last is not None:
            return self._last.copy()
        found = None
        try:
            near = 0 <= self._at < frame and (
                frame == self._at + 1 or self._index.start_of(frame) <= self._index.times[self._at]
            )
            found = self._forward(frame) if near else None
            # Some containers land behind the place that was asked for: then from further before.
            for before in (0, 1, len(self._index.starts)):
                if found is None:
                    self._seek(self._index.start_of(frame, before))
                    found = self._forward(frame)
            if found is None:
                raise ValueError("it is not among what was decoded, or parts of it are damaged")
            pixels = np.ascontiguousarray(found.to_ndarray(format=self._form))
            if pixels.shape != self._shape:
                raise ValueError(f"it is {pixels.shape}, others are {self._shape}")
        except Exception as error:  # besides its own errors PyAV raises those of numpy and of the system
            self._at, self._last = len(self._index), None
            raise unreadable(self._path, error, f" at frame {frame} of {len(self._index)}") from error
        self._at, self._last = frame, pixels
        return pixels.copy()

    def _seek(self, time: int) -> None:
        stream = self._container.streams.video[0]
        self._container.seek(time if self._index.timed else stream.start_time or 0, stream=stream)
        self._decoded = iter(self._container.decode(stream))
        self._at = -1

    def _forward(self, frame: int) -> Any:
        """Decode up to a frame; None where it is not ahead."""
        for decoded in self._decoded:
            time = decoded.pts if decoded.pts is not None else decoded.dts
            number = self._numbers.get(time, self._at) if self._index.timed else self._at + 1
            self._at = number
            if number == frame:
                return None if decoded.is_corrupt else decoded
            if number > frame:
                break
        return None
