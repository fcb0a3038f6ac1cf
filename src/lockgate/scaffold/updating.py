"""Brings what has become better in the template into a project that was made from it.

Copier does the merging: it compares what the project was when it was made with what its owner made
of it, and applies the difference to a new rendering. It wants the template as a git repository with
both versions in it, so one is made for the occasion, and git is told to find it at `SOURCE`.

Must not know: terminals, and what the template's files say.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML, YAMLError

from lockgate import __version__
from lockgate.errors import LockgateError
from lockgate.scaffold import engine, kept

ANSWERS: Final = ".copier-answers.yml"
SOURCE: Final = "https://lockgate.invalid/project.git"
"""Where projects say their template is. Nothing is there or ever will be (RFC 6761)."""

_AS_IT_IS: Final = ".never-a-template"
_COPIER: Final = ("-m", "copier", "update", "--skip-answered", "--quiet", "--conflict", "inline")


@dataclass(frozen=True)
class Updated:
    """What became of an update.

    changed    the files that are different now.
    conflicts  those of them where somebody has to choose.
    """

    changed: tuple[str, ...]
    conflicts: tuple[str, ...]


def update(project: Path, *, ask: bool) -> Updated:
    """Bring a project up to date, without committing anything.

    Args:
        project: its folder, in a git repository and without changes that are not committed.
        ask: whether questions that are new may be asked on the terminal.

    Raises:
        LockgateError: it is no project of ours, or cannot be updated as it is.
    """
    answers = answers_of(project)
    before = kept.kept(project)
    engine.copier()
    _refuse_unsafe(project)
    with tempfile.TemporaryDirectory(prefix="lockgate-new-") as scratch:
        repository = Path(scratch) / "template"
        if _rendered(Path(scratch) / "same", answers) == before:
            return Updated((), ())
        _as_repository(repository, before, int(answers["generation"]))
        _merge(project, repository, answers, ask=ask)
        after = Path(scratch) / "after"
        engine.render(after, answers_of(project), ask=False)
        kept.keep(project, after)
    changed = _git(project, "status", "--porcelain", "--untracked-files=all", "--", ".")
    conflicts = _git(project, "diff", "--name-only", "--diff-filter=U", "--relative")
    own = {str(kept.PLACE.as_posix()), ANSWERS}
    names = [line[3:].strip('"') for line in changed.splitlines()]
    return Updated(
        tuple(name for name in names if not name.endswith(tuple(own))),
        tuple(conflicts.splitlines()),
    )


def answers_of(project: Path) -> dict[str, Any]:
    """What was answered when the project was made.

    Raises:
        LockgateError: it was not made by `lockgate new`, or by a newer one.
    """
    try:
        loader: Any = YAML(typ="safe")
        said = loader.load((project / ANSWERS).read_text("utf-8"))
        if said["_src_path"] != SOURCE or int(said["generation"]) < 1:
            raise ValueError("made from another template")
    except (OSError, YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise LockgateError(
            f"{project.absolute()} is no project that `lockgate new` made.",
            "Run it in the project's folder, or name the folder with --output.",
            reason="unfit-here",
        ) from error
    if said["made_with"] != __version__ and _newer(str(said["made_with"])):
        raise LockgateError(
            f"The project was made with Lockgate {said['made_with']}; this is {__version__}.",
            "Update Lockgate first.",
            reason="unfit-here",
        )
    return {name: value for name, value in said.items() if not name.startswith("_")}


def _newer(version: str) -> bool:
    engine.copier()
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - comes with Copier

    try:
        return Version(version) > Version(__version__)
    except InvalidVersion:
        return False


def _refuse_unsafe(project: Path) -> None:
    try:
        dirty = _git(project, "status", "--porcelain", "--", ".")
    except FileNotFoundError as error:
        raise LockgateError(
            "Updates need git, which is not installed.", reason="unfit-here"
        ) from error
    except subprocess.CalledProcessError as error:
        raise LockgateError(
            f"{project.absolute()} is in no git repository, so nothing could be undone.",
            "Run: git init && git add . && git commit",
            reason="unfit-here",
        ) from error
    if dirty:
        raise LockgateError(
            f"{project.absolute()} has changes that are not committed.",
            "Commit or stash them first, so that what the update does can be seen and undone.",
            reason="unfit-here",
        )


def _rendered(folder: Path, answers: dict[str, Any]) -> dict[str, bytes]:
    engine.render(folder, answers, ask=False)
    return kept.contents(folder)


def _as_repository(folder: Path, before: dict[str, bytes], generation: int) -> None:
    """The template as Copier wants it: one commit for what was, one for what is."""
    _git(folder.parent, "init", "--quiet", str(folder))
    with engine.template() as source:
        questions = (source / "copier.yml").read_text("utf-8")
        # What was is a rendering: its files are copied as they are.
        _write(folder / "copier.yml", _unrendered(questions).encode())
        for name, content in before.items():
            _write(folder / "project" / name, content)
        _commit(folder, f"v{generation}")
        _git(folder, "rm", "--quiet", "-r", ".")
        for name, content in kept.contents(source).items():
            _write(folder / name, content)
        _commit(folder, f"v{generation + 1}")


def _unrendered(questions: str) -> str:
    marked = questions.replace(
        "\n_templates_suffix: .jinja\n", f"\n_templates_suffix: {_AS_IT_IS}\n"
    )
    if marked == questions:
        raise AssertionError("copier.yml names no suffix")
    return marked


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _commit(folder: Path, tag: str) -> None:
    _git(folder, "add", "--force", "--all")
    _git(folder, "commit", "--quiet", "--no-verify", "--allow-empty", "-m", tag)
    _git(folder, "tag", tag)


def _merge(project: Path, repository: Path, answers: dict[str, Any], *, ask: bool) -> None:
    """Let Copier bring the two together, with git finding the repository at SOURCE."""
    generation = int(answers["generation"]) + 1
    environ = {
        **os.environ,
        "COPIER_CACHE_DIR": str(repository.parent / "cache"),
        "COPIER_SETTINGS_PATH": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": SOURCE,
    }
    data = ("--data", f"generation={generation}", "--data", f"made_with={__version__}")
    asked = () if ask else ("--defaults",)
    done = subprocess.run(  # noqa: S603 - our own interpreter, and folders as arguments
        [sys.executable, *_COPIER, *data, *asked, str(project.absolute())],
        env=environ,
        stderr=subprocess.PIPE,
        stdout=None if ask else subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise LockgateError(
            f"The update failed: {said[-1] if said else 'Copier said nothing'}",
            "Nothing is committed: `git restore . && git clean -fd` takes back what was begun.",
        )


def _git(folder: Path, *arguments: str) -> str:
    """What git says, run with none of a person's own habits."""
    settings = ("user.name=lockgate", "user.email=lockgate@localhost", "commit.gpgsign=false")
    options = [part for setting in (*settings, "core.autocrlf=false") for part in ("-c", setting)]
    return subprocess.run(  # noqa: S603 - arguments of ours, no shell
        ["git", *options, *arguments],  # noqa: S607 - whichever git is on PATH
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    ).stdout
