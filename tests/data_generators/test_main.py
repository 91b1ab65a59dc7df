"""The command that writes the tables."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from data_generators.__main__ import main


def test_the_command_writes_four_files(tmp_path) -> None:
    """The command prints the paths it wrote, one a line."""
    options = ["--rows", "200", "--test-rows", "50", "--out", str(tmp_path), "--format", "parquet"]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0
    assert sorted(result.output.split()) == sorted(str(path) for path in tmp_path.iterdir())
    assert len(result.output.split()) == 4


@pytest.mark.parametrize(("story", "institutions"), [("cards", 2), ("mules", 3)])
def test_every_story_can_be_written(tmp_path, story: str, institutions: int) -> None:
    """--story chooses what the tables are about: one file for each institution and one to test on."""
    options = ["--story", story, "--rows", "100", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0
    assert len(result.output.split()) == institutions + 1


def test_help_shows_an_example() -> None:
    """--help ends with a command that can be copied."""
    result = CliRunner().invoke(main, ["--help"])
    assert "python -m data_generators --rows 20000 --out data" in result.output
