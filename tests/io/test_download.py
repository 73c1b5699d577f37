import errno
import hashlib
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from napari_sam2.errors import CheckpointError, StorageError
from napari_sam2.io import download as download_module
from napari_sam2.io.registry import CHECKPOINTS, cache_folder, cached, fetch, model_names

NAME = "sam2.1_hiera_tiny"
BODY = bytes(range(256)) * 4096


class Server(ThreadingHTTPServer):
    """Serves BODY under every address, as badly as the test asks for."""

    daemon_threads = True
    status = 200
    cuts: int = 0  # how many answers break off half-way
    ranges = True
    etag = '"one"'
    content_type = "application/octet-stream"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/models/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers["Range"]
        server.asked.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if wanted and server.ranges and self.headers["If-Range"] in (None, server.etag):
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
        if start >= len(BODY):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(BODY)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Content-Type", server.content_type)
        self.send_header("Content-Length", str(len(BODY) - start))
        self.send_header("ETag", server.etag)
        self.end_headers()
        rest = BODY[start:]
        if server.cuts:
            server.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_fetches_records_and_fetches_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    folder = tmp_path / "new" / "cache"
    path = fetch(NAME, folder, server.base, progress=lambda *numbers: seen.append(numbers))
    assert path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    record = folder / f"{NAME}.pt.sha256"
    assert record.read_text() == f"{hashlib.sha256(BODY).hexdigest()}  {NAME}.pt\n"
    assert sorted(p.name for p in folder.iterdir()) == [f"{NAME}.pt", f"{NAME}.pt.sha256"]
    assert fetch(NAME, folder, server.base) == path
    assert server.asked == [None]
    assert cached(folder) == (NAME,)


def test_cut_connection_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.cuts = 2
    assert fetch(NAME, tmp_path, server.base).read_bytes() == BODY
    assert server.asked == [None, f"bytes={len(BODY) // 2}-", f"bytes={len(BODY) * 3 // 4}-"]


def test_next_call_resumes(server: Server, tmp_path: Path) -> None:
    server.cuts = 1
    with pytest.raises(CheckpointError, match=r"broke off after 0\.5 MB.*run it again"):
        fetch(NAME, tmp_path, server.base, attempts=1)
    assert not (tmp_path / f"{NAME}.pt").exists()
    assert (tmp_path / f"{NAME}.pt.part").stat().st_size == len(BODY) // 2
    assert fetch(NAME, tmp_path, server.base, attempts=1).read_bytes() == BODY
    assert server.asked == [None, f"bytes={len(BODY) // 2}-"]


def test_file_that_changed_on_the_server_starts_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.pt.part").write_bytes(b"old beginning")
    (tmp_path / f"{NAME}.pt.part.etag").write_text('"zero"')
    assert fetch(NAME, tmp_path, server.base).read_bytes() == BODY


def test_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / f"{NAME}.pt.part").write_bytes(b"old beginning")
    assert fetch(NAME, tmp_path, server.base).read_bytes() == BODY


def test_complete_part_needs_only_its_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.pt.part").write_bytes(BODY)
    assert fetch(NAME, tmp_path, server.base).read_bytes() == BODY


def test_part_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.pt.part").write_bytes(BODY + b"more")
    assert fetch(NAME, tmp_path, server.base).read_bytes() == BODY


@pytest.mark.parametrize("status", [403, 404, 503])
def test_server_that_refuses(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(CheckpointError, match=rf"refused http.*{NAME}\.pt: {status}"):
        fetch(NAME, tmp_path, server.base)
    assert not list(tmp_path.iterdir())


def test_login_page_instead_of_the_file(server: Server, tmp_path: Path) -> None:
    server.content_type = "text/html; charset=utf-8"
    with pytest.raises(CheckpointError, match="A web page came instead"):
        fetch(NAME, tmp_path, server.base)


@pytest.mark.parametrize("part", [None, b"a piece"])
def test_offline_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: bytes | None) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    if part:
        (tmp_path / f"{NAME}.pt.part").write_bytes(part)
    (tmp_path / "sam2_hiera_small.pt").write_bytes(b"x")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(CheckpointError) as caught:
            fetch(NAME, tmp_path, base)
    message = str(caught.value)
    assert f"{base}/{NAME}.pt cannot be reached" in message
    assert f"put the file {NAME}.pt into {tmp_path}" in message
    assert "here already: nano, sam2_hiera_small." in message


def test_file_changed_in_the_cache(server: Server, tmp_path: Path) -> None:
    path = fetch(NAME, tmp_path, server.base)
    path.write_bytes(BODY[::-1])
    with pytest.raises(CheckpointError, match=r"is not the file that was recorded.*Delete both"):
        fetch(NAME, tmp_path, server.base)


def test_file_put_there_by_hand_is_recorded(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.pt").write_bytes(b"by hand")
    fetch(NAME, tmp_path)
    assert hashlib.sha256(b"by hand").hexdigest() in (tmp_path / f"{NAME}.pt.sha256").read_text()


def test_too_little_room(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StorageError, match=r"0\.0 MB left and 1\.0 MB are still to come"):
        fetch(NAME, tmp_path, server.base)


def test_disk_full_on_the_way(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, chunk: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            pass

    real = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *a, **k: Full() if self.suffix == ".part" else real(self, *a, **k)
    )
    with pytest.raises(StorageError, match=r"disk is full.*NAPARI_SAM2_CACHE"):
        fetch(NAME, tmp_path, server.base)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Cannot write"):
        fetch(NAME, tmp_path / "file" / "cache", "http://127.0.0.1:9")


def test_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("NAPARI_SAM2_CACHE")
    assert "napari-sam2" in str(cache_folder())


def test_table_of_names() -> None:
    assert len(CHECKPOINTS) == 11
    assert {name: entry.file_name for name, entry in CHECKPOINTS.items() if name.startswith("sam2")} == {
        name: f"{name}.pt" for name in CHECKPOINTS if name.startswith("sam2")
    }
    assert CHECKPOINTS["sam_vit_b"].url.endswith("/segment_anything/sam_vit_b_01ec64.pth")
    assert CHECKPOINTS["sam_vit_b"].file_name == "sam_vit_b_01ec64.pth"
    assert model_names()[0] == "nano"
    assert CHECKPOINTS["sam2_hiera_base_plus"].url.endswith("/072824/sam2_hiera_base_plus.pt")
    assert CHECKPOINTS["sam2.1_hiera_large"].url.endswith("/092824/sam2.1_hiera_large.pt")
