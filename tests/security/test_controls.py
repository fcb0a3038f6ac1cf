"""Every control of the table has a test, and is kept by files that exist."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.security.controls import CONTROLS

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src" / "lockgate"


def shown() -> set[int]:
    numbers: set[int] = set()
    for path in HERE.glob("test_*.py"):
        module = import_module(f"tests.security.{path.stem}")
        for name, value in vars(module).items():
            if name.startswith("test_"):
                marks = getattr(value, "pytestmark", [])
                numbers |= {one for mark in marks if mark.name == "control" for one in mark.args}
    return numbers


def test_every_control_has_a_test() -> None:
    assert shown() == set(CONTROLS)


def test_every_control_is_kept_somewhere() -> None:
    for control in CONTROLS.values():
        assert control.enforced
        for file in control.enforced:
            assert (SOURCE / file).is_file(), file
