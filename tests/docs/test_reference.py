"""The reference pages leave nothing out."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

import napari_sam2
from napari_sam2 import TrackingPolicy, VideoTracker
from napari_sam2.cli.app import app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("name", [n for n in napari_sam2.__all__ if n != "__version__"])
def test_api_names_everything(name: str) -> None:
    assert f"`{name}" in (DOCS / "reference" / "api.md").read_text()


def test_api_names_every_method_of_the_tracker() -> None:
    page = (DOCS / "reference" / "api.md").read_text()
    assert [
        m for m in ("start", "prompt", "propagate", "clear", "remove", "reset") if f"`.{m}(" not in page
    ] == []
    assert all(
        hasattr(VideoTracker, method) for method in re.findall(r"^\| `\.(start|prompt|re\w+|clear)\(", page)
    )


def _options(command: Any) -> set[str]:
    own = {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
    return own.union(*map(_options, getattr(command, "commands", {}).values()))


def test_cli_names_every_command_and_option() -> None:
    page = (DOCS / "reference" / "cli.md").read_text()
    command: Any = typer.main.get_command(app)
    assert [name for name in command.commands if f"## {name}" not in page] == []
    assert sorted(option for option in _options(command) if option not in page) == []


def test_policy_page_names_exactly_the_departures() -> None:
    default, reference = TrackingPolicy(), TrackingPolicy.reference()
    differing = {
        f.name: (getattr(default, f.name), getattr(reference, f.name))
        for f in fields(TrackingPolicy)
        if getattr(default, f.name) != getattr(reference, f.name)
    }
    page = (DOCS / "explain" / "tracking-policy.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| `([^`]+)` \|$", page, re.M)
    assert {name: (a, b) for name, a, b in rows} == {
        name: tuple(repr(value).replace("'", '"') for value in values) for name, values in differing.items()
    }
    assert [name for name in differing if f"### `{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
