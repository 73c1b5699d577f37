import pytest
import typer

from napari_sam2.cli.arguments import box_at, click_at, frame_and_click, in_a_sentence
from napari_sam2.errors import CheckpointError, PromptError
from napari_sam2.prompts import Box, Click


def test_places_are_read() -> None:
    assert click_at("12,34.5", "--click") == Click(12, 34.5)
    assert click_at(" 1 , 2 ", "--negative", positive=False) == Click(1, 2, positive=False)
    assert box_at("1,2,3,4", "--box") == Box(1, 2, 3, 4)
    assert frame_and_click("7,1,2", "--object") == (7, Click(1, 2))


@pytest.mark.parametrize("text", ["", "12", "1,2,3", "a,b", "1;2", "nan,2", "inf,2", "1,"])
def test_what_is_no_place_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"expected y,x, as in 40,47, got"):
        click_at(text, "--click")


def test_frame_is_a_whole_number() -> None:
    with pytest.raises(typer.BadParameter, match="not a whole number"):
        frame_and_click("0.5,1,2", "--object")


def test_empty_box_is_told_in_words() -> None:
    with pytest.raises(PromptError, match="is empty"):
        box_at("5,5,1,1", "--box")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (CheckpointError("no\nsuch  model"), 1, "napari-sam2: no such model\n"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_commands_end_in_a_sentence(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @in_a_sentence
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as caught:
        command()
    assert caught.value.exit_code == code
    printed = capsys.readouterr()
    assert words in printed.err
    assert not printed.out
