"""What the documentation shows is run: Python blocks in full, command lines as far as their parsing."""

import copy
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import typer

import napari_sam2
from napari_sam2.cli.app import app
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.io import checkpoints
from napari_sam2.io.checkpoints import save_model
from napari_sam2.io.registry import model_names
from napari_sam2.model.sam2 import SAM2

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<note><!-- not run: [^\n]+ -->\n+)?```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.M | re.S
)

ASSIGNMENT = re.compile(r"[A-Z_]+=")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it starts, so that a failure names its line."""

    page: Path
    line: int
    language: str
    text: str
    left_out: bool


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(page, line, found["language"], found["text"], bool(found["note"]))


def pages_with(language: str) -> list[Any]:
    chosen = [page for page in PAGES if any(b.language == language for b in blocks(page))]
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in chosen]


@pytest.fixture
def workplace(small_model: SAM2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A folder with the files that the pages speak of, and the arrays; named models are small random ones."""

    def load_model(name_or_path: Any = "nano", *args: Any, **kwargs: Any) -> SAM2:
        if name_or_path in model_names():
            return copy.deepcopy(small_model)
        return real(name_or_path, *args, **kwargs)

    real = checkpoints.load_model
    monkeypatch.setattr(checkpoints, "load_model", load_model)
    monkeypatch.setattr(napari_sam2, "load_model", load_model)
    monkeypatch.chdir(tmp_path)
    movie = moving_nuclei(frames=20, height=256, width=256, objects=8, divisions=0).images
    tifffile.imwrite("movie.tif", movie, photometric="minisblack", metadata={"axes": "TYX"})
    tifffile.imwrite("cells.tif", movie[0], photometric="minisblack")
    torch.save({"model": small_model.to_official()}, "fine-tune.pt")
    Path("runs/nano").mkdir(parents=True)
    save_model(small_model, "runs/nano/nano.safetensors")
    two_channels = np.stack([movie[0], movie[0] // 2], axis=-1)
    return {"__name__": "snippet", "image": movie[0], "movie": movie, "two_channels": two_channels}


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_runs(page: Path, workplace: dict[str, Any]) -> None:
    for block in blocks(page):
        if block.language == "python" and not block.left_out:
            padded = "\n" * (block.line - 1) + block.text
            exec(compile(padded, str(page), "exec"), workplace)


@pytest.mark.parametrize("page", pages_with("sh"))
def test_command_lines_parse(page: Path) -> None:
    for block in blocks(page):
        for line in block.text.replace("\\\n", " ").splitlines() if block.language == "sh" else ():
            for part in line.split("&&"):
                words = list(dropwhile(ASSIGNMENT.match, shlex.split(part, comments=True)))
                if words[:4] == ["python3", "-m", "tox", "run"]:
                    assert f"[testenv:{words[words.index('-e') + 1]}]" in (ROOT / "tox.ini").read_text()
                if words[:1] == ["napari-sam2"]:
                    _parse(app, words[1:])


def _parse(commands: typer.Typer, words: list[str]) -> None:
    """Parse a command line to its last option; nothing is executed."""
    command: Any = typer.main.get_command(commands)
    with suppress(typer.Exit):  # --help and --version end here
        _resolve(command, words)


def _resolve(command: Any, words: list[str]) -> None:
    context = command.make_context("napari-sam2", list(words))
    while hasattr(command, "commands") and (rest := [*context._protected_args, *context.args]):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize(
    "words",
    [["segmnt", "a.tif"], ["track", "a.tif", "--objct", "0,1,1"], ["models", "lost"], ["track", "a.tif"]],
)
def test_command_lines_that_are_wrong_are_found(words: list[str]) -> None:
    with pytest.raises(Exception, match=r"No such|Missing"):
        _parse(app, words)


def test_blocks_are_found_and_left_out_only_with_a_reason(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n```python\na = 1\n```\n\n<!-- not run: needs a GPU -->\n```python\nb\n```\n```sh\nc\n```\n"
    )
    found = [(b.line, b.language, b.text, b.left_out) for b in blocks(page)]
    assert found == [(4, "python", "a = 1\n", False), (9, "python", "b\n", True), (12, "sh", "c\n", False)]
