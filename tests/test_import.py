import subprocess
import sys
import warnings

import pytest

import napari_sam2

FORBIDDEN = {"torch", "napari", "qtpy", "magicgui", "PyQt5", "PyQt6", "PySide2", "PySide6", "numpy", "typer"}


def _modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import napari_sam2",
        "import napari_sam2; dir(napari_sam2); napari_sam2.__version__; napari_sam2.Click(1, 2)",
        "import napari_sam2.plugin.samples",
        "import napari_sam2.cli",
    ],
)
def test_import_pulls_in_nothing_heavy(statement: str) -> None:
    assert not _modules_after(statement) & FORBIDDEN


def test_command_line_help_needs_no_torch() -> None:
    assert not _modules_after("import napari_sam2.cli.app") & (FORBIDDEN - {"typer"})


@pytest.mark.parametrize("name", napari_sam2.__all__)
def test_every_name_in_the_table_of_contents_is_there(name: str) -> None:
    assert name in dir(napari_sam2)
    with warnings.catch_warnings():
        if name == "attach":
            warnings.simplefilter("ignore")  # napari and what it imports warn about each other
            pytest.importorskip("napari", reason="napari is an extra")
            pytest.importorskip("qtpy.QtWidgets", reason="Qt's libraries are not here", exc_type=ImportError)
        assert getattr(napari_sam2, name) is not None


def test_unknown_name_says_so() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'load_modle'"):
        napari_sam2.load_modle  # noqa: B018
