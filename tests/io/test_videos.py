"""Videos: every frame is reached exactly, in any order, and a file that was cut short says so."""

import subprocess
import sys
from dataclasses import dataclass

import av
import numpy as np
import pytest

from napari_sam2.errors import StorageError
from napari_sam2.io.frames import open_frames
from napari_sam2.io.images import open_image
from napari_sam2.io.video_index import VideoIndex
from tests.io.made_files import video

# Every frame has a level of its own, and a bar that moves, so that codecs have something to predict.
FRAMES = np.full((40, 48, 64, 3), 0, np.uint8) + (np.arange(40, dtype=np.uint8) * 6)[:, None, None, None]
for number, picture in enumerate(FRAMES):
    picture[10:20, number : number + 12] = 250 - number

CODECS = {
    "b-frames.mp4": ("libx264", "yuv420p", {}),
    "open-gop.mkv": ("libx264", "yuv420p", {"x264-params": "open-gop=1:bframes=3:keyint=7"}),
    "b-frames.mov": ("mpeg4", "yuv420p", {"bf": "2", "b": "8M"}),
    "b-frames.avi": ("libx264", "yuv420p", {}),
    "mpeg4-b-frames.avi": ("mpeg4", "yuv420p", {"bf": "2", "b": "8M"}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"bf": "0", "b": "8M"}),
    "key-frames.avi": ("mjpeg", "yuvj420p", {}),
    "vp9.mkv": ("libvpx-vp9", "yuv420p", {"cpu-used": "8"}),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return {
        name: video(folder / name, FRAMES, codec, pixels, **options)
        for name, (codec, pixels, options) in CODECS.items()
    }


def decoded(path):
    with av.open(path) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("name", CODECS)
def test_any_order_gives_the_frames_of_decoding_from_the_start(made, name):
    truth = decoded(made[name])
    assert len(truth) == len(FRAMES)
    assert abs(truth.mean((1, 2, 3)) - FRAMES.mean((1, 2, 3))).max() < 3  # that is, frame i is frame i
    order = [*range(40), *range(39, -1, -1), *np.random.default_rng(0).permutation(40)]
    with open_frames(made[name]) as frames:
        assert frames.shape == FRAMES.shape
        for i in order:
            assert np.array_equal(frames[i], truth[i]), i


def test_what_was_read_may_be_written_on(made):
    with open_frames(made["mpeg4.avi"]) as frames:
        frames[3][:] = 0
        assert frames[3].any()


def test_times_become_the_spacing(made, tmp_path):
    for name in ("b-frames.mp4", "b-frames.avi", "vp9.mkv"):
        with open_image(made[name]) as image:
            assert image.axes == "TYXC"
            assert image.spacing["T"].step == pytest.approx(0.04)
            assert image.spacing["T"].unit == "s"


def test_sixteen_bit_gray(tmp_path):
    deep = np.arange(3 * 32 * 32, dtype=np.uint16).reshape(3, 32, 32) * 20
    with av.open(tmp_path / "a.mkv", "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "gray16le"
        for frame in deep:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray16le")))
        container.mux(stream.encode(None))
    with open_frames(tmp_path / "a.mkv") as frames:
        assert frames.dtype == np.uint16
        assert np.array_equal(np.stack(list(frames)), deep)


def whole_packets(path):
    """Count packets of a damaged file with the library alone."""
    with av.open(path) as container:
        return sum(p.size > 0 and not p.is_corrupt for p in container.demux(video=0))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        *(("key-frames.avi", 0.6), ("key-frames.avi", 0.9), ("vp9.mkv", 0.6), ("vp9.mkv", 0.85)),
        *(("open-gop.mkv", 0.6), ("open-gop.mkv", 0.85), ("front.mp4", 0.8), ("front.mp4", 0.95)),
    ],
)
def test_a_video_cut_short_names_how_many_frames_are_whole(made, tmp_path, capfd, name, kept):
    if name == "front.mp4":  # with its table of contents first
        source = tmp_path / name
        with (
            av.open(made["b-frames.mp4"]) as old,
            av.open(source, "w", options={"movflags": "faststart"}) as new,
        ):
            stream = new.add_stream_from_template(old.streams.video[0])
            for packet in old.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
    else:
        source = made[name]
    path = tmp_path / f"cut{source.suffix}"
    content = source.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    whole = whole_packets(path)
    assert 0 < whole < 40
    with pytest.raises(StorageError, match=rf"cut short: {whole} of about (38|39|40|41) frames are whole"):
        open_frames(path)
    assert capfd.readouterr().err == ""


def test_frames_that_an_edit_list_hides_are_neither_shown_nor_missed(made, tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(made["b-frames.mov"]) as old, av.open(path, "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.pts -= 10 * packet.duration  # players begin at 0
                packet.dts -= 10 * packet.duration
                packet.stream = stream
                new.mux(packet)
    with av.open(path) as container:
        assert container.streams.video[0].frames == 40
    truth = decoded(path)
    assert len(truth) == 30
    with open_frames(path) as frames:
        assert len(frames) == 30
        for i in (0, 29, 5):
            assert np.array_equal(frames[i], truth[i])


def test_a_video_without_its_table_of_contents(made, tmp_path):
    content = made["b-frames.mp4"].read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(StorageError, match=r"a\.mp4 cannot be opened .*0 of its frames are whole"):
        open_frames(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv", "a.mov"])
def test_garbage(tmp_path, name):
    (tmp_path / name).write_bytes(b"garbage, not a video" * 50)
    with pytest.raises(StorageError, match=r"is no video|frames are whole"):
        open_frames(tmp_path / name)


def test_a_frame_broken_in_the_middle(made, tmp_path):
    content = bytearray(made["key-frames.avi"].read_bytes())
    with av.open(made["key-frames.avi"]) as container:
        packet = [p for p in container.demux(video=0) if p.size][20]
        place, size = packet.pos, packet.size
    assert place is not None
    content[place : place + size] = b"\0" * size
    (tmp_path / "a.avi").write_bytes(content)
    truth = decoded(made["key-frames.avi"])
    with open_frames(tmp_path / "a.avi") as frames:
        assert np.array_equal(frames[19], truth[19])
        with pytest.raises(StorageError, match=r"a\.avi cannot be read at frame 20 of 40"):
            frames[20]
        assert np.array_equal(frames[21], truth[21])
        assert np.array_equal(frames[19], truth[19])


def test_sound_alone_is_no_image(tmp_path):
    with av.open(tmp_path / "a.mkv", "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(StorageError, match="holds no video"):
        open_image(tmp_path / "a.mkv")


def test_without_its_package_a_sentence_says_what_to_install(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "a.nii").write_bytes(b"x")
    (tmp_path / "a.nrrd").write_bytes(b"x")
    code = (
        "import sys; sys.modules.update(av=None, nibabel=None, nrrd=None)\n"
        "from napari_sam2.io.images import open_image\n"
        "for name in sys.argv[1:]:\n"
        "    try: open_image(name)\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )
    files = [str(tmp_path / name) for name in ("a.mp4", "a.nii", "a.nrrd")]
    said = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    lines = said.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["StorageError"] * 3
    for line, extra in zip(lines, ("video", "volumes", "volumes"), strict=True):
        assert f"pip install napari-sam2[{extra}]" in line


@dataclass
class Packet:
    pts: int | None
    dts: int | None
    is_keyframe: bool = False
    size: int = 9
    is_corrupt: bool = False
    is_discard: bool = False


def test_the_index_puts_frames_in_the_order_of_their_times():
    stored = [
        Packet(0, 0, True),
        Packet(30, 1),
        Packet(10, 2),
        Packet(20, 3),
        Packet(50, 4, True),
        Packet(40, 5),
    ]
    index = VideoIndex.of([*stored, Packet(None, None, size=0), Packet(60, 6, is_discard=True)])
    assert (index.times, index.starts, index.timed) == ((0, 10, 20, 30, 40, 50), (0, 50), True)
    assert (index.cut, index.hidden, index.decoded) == (0, 1, 6)
    # The frame at 40 is stored behind the start at 50, but shown before it: it needs the start before.
    assert [index.start_of(i) for i in range(6)] == [0, 0, 0, 0, 0, 50]
    assert index.start_of(5, before=1) == index.start_of(5, before=9) == 0


@pytest.mark.parametrize(
    "stored",
    [
        [Packet(None, 0, True), Packet(1, 1)],
        [Packet(0, 0, True), Packet(0, 1)],
        [Packet(1, 0, True), Packet(2, 1)],
    ],
)
def test_times_that_cannot_be_relied_on_become_numbers(stored):
    index = VideoIndex.of([*stored, Packet(5, 5, is_corrupt=True)], reordered_times=False)
    assert (index.times, index.starts, index.timed, index.cut) == ((0, 1), (0,), False, 1)
