from pathlib import Path

import pytest
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.io import registry

run = CliRunner().invoke


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.mark.parametrize("arguments", [["models"], ["models", "list"]])
def test_list(arguments: list[str], cache: Path) -> None:
    (cache / "sam2_hiera_tiny.pt").write_bytes(b"x")
    result = run(app, arguments)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 13
    assert lines[0].split(maxsplit=1) == ["nano", "comes with the package"]
    assert lines[1].split(maxsplit=1) == ["sam2_hiera_tiny", "on this machine"]
    assert lines[8].split() == ["sam2.1_hiera_large", registry.CHECKPOINTS["sam2.1_hiera_large"].url]
    assert lines[11].split() == ["sam_vit_h", registry.CHECKPOINTS["sam_vit_h"].url]
    assert str(cache) in lines[12]


def test_download_of_what_is_here_says_where(cache: Path) -> None:
    (cache / "sam2_hiera_tiny.pt").write_bytes(b"x")
    result = run(app, ["models", "download", "sam2_hiera_tiny"])
    assert result.exit_code == 0
    assert result.stdout.strip() == str(cache / "sam2_hiera_tiny.pt")


def test_download_of_the_embedded_model() -> None:
    result = run(app, ["models", "download", "nano"])
    assert result.exit_code == 0
    assert "nothing to download" in result.stdout


def test_download_of_an_unknown_name() -> None:
    result = run(app, ["models", "download", "sam2_hiera_tin"])
    assert result.exit_code == 1
    assert "Did you mean 'sam2_hiera_tiny'" in result.stderr
    assert not result.stdout


def test_help_and_version() -> None:
    assert {"segment", "track", "models", "demo"} <= set(run(app, ["--help"]).stdout.split())
    assert run(app, ["--version"]).stdout.startswith("napari-sam2 ")
    assert run(app, ["nonsense"]).exit_code == 2
