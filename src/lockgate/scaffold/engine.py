"""Copier, the template engine: found when it is needed, and asked for one rendering.

Must not know: what becomes of a rendering.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from lockgate.errors import LockgateError

TEMPLATES: Final = ("basic", "oauth", "scraper", "rest", "gateway")
"""What `copier.yml` offers as `template`."""


def copier() -> ModuleType:
    """The package.

    Raises:
        LockgateError: it is not installed.
    """
    try:
        import copier as found  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise LockgateError(
            "Projects are made with Copier, which is not installed.",
            "pip install 'lockgate[new]'",
            reason="unfit-here",
        ) from error
    return found


@contextmanager
def template() -> Generator[Path]:
    """The folder of the template that came with this Lockgate."""
    with as_file(files("lockgate.scaffold") / "templates") as folder:
        yield folder


def render(folder: Path, answers: Mapping[str, Any], *, ask: bool) -> None:
    """Write a project into a folder that is empty or not there.

    Args:
        folder: where.
        answers: what is known already; questions it answers are not asked.
        ask: whether to ask the rest on the terminal; otherwise defaults hold.

    Raises:
        LockgateError: Copier is not installed, or refuses an answer.
        KeyboardInterrupt: whoever was asked has gone.
    """
    engine = copier()
    with template() as source, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a person's settings, which do not count here
        try:
            engine.run_copy(
                str(source),
                folder,
                data=dict(answers),
                settings=engine.Settings(),
                defaults=not ask,
                quiet=True,
            )
        except ValueError as error:
            raise LockgateError(
                f"The project cannot be made so: {' '.join(str(error).split())}",
                "Correct the answer that is named.",
                reason="exit-1",
            ) from error
