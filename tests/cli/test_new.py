"""`lockgate new` as people use it: with options, with questions, and again."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("copier")

from lockgate.scaffold.engine import TEMPLATES
from tests.cli import program
from tests.scaffold.made import committed


def test_options_answer_everything(tmp_path: Path) -> None:
    said = ("--template", "oauth", "--description", "Tides.", "--port", "8123")
    done = program.run("new", "tide-tables", *said, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "33 files, from the template oauth" in done.stdout
    assert "export TIDE_TABLES_ISSUER_URL=http://127.0.0.1:9000\n" in done.stdout
    assert (
        (tmp_path / "tide-tables" / "README.md").read_text().startswith("# Tide Tables\n\nTides.")
    )
    again = program.run("new", "tide-tables", "--output", tmp_path)
    assert again.returncode == 1
    assert "left as it is" in again.stderr


def test_questions_are_asked_in_a_terminal(tmp_path: Path) -> None:
    terminal = program.Terminal("new", "tides", "--output", tmp_path, "--template", "rest")
    terminal.read_until("What is it for")
    terminal.write("\r")
    terminal.read_until("Which port")
    terminal.write("\x7f\x7f\x7f\x7f8765\r")
    shown = terminal.read_until("README.md has the rest")
    assert terminal.end() == 0
    assert "What kind of project" not in shown, "that was said"
    assert "port: int = 8765" in (tmp_path / "tides" / "tides" / "settings.py").read_text()


def test_whoever_leaves_while_asked_leaves_nothing(tmp_path: Path) -> None:
    terminal = program.Terminal("new", "tides", "--output", tmp_path)
    terminal.read_until("What kind of project")
    terminal.write("\x03")
    terminal.read_all()
    assert terminal.end() == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument 'NAME'"),
        (("My Server",), "How about 'my-server'?"),
        (("mcp",), "A package that the project needs has this name"),
        (("tides", "--template", "other"), "'other' is not one of"),
        (("tides", "--port", "0"), "0 is not in the range"),
        (("--update", "--port", "1"), "--update keeps what was answered"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = program.run("new", *arguments, "--output", tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_project_that_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    committed(tmp_path)
    done = program.run("new", "--update", "my-server", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Nothing has changed in the template" in done.stderr


def test_the_templates_offered_are_those_there_are() -> None:
    done = program.run("new", "--help")
    assert f"[{'|'.join(TEMPLATES)}]" in done.stdout
