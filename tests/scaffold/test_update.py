"""What an update brings, and what it leaves alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("copier")

from lockgate.errors import LockgateError
from lockgate.scaffold import engine, kept
from lockgate.scaffold.updating import ANSWERS, answers_of, update
from tests.scaffold.made import NAME, PACKAGE, commit, committed, git, takes_long


class Template:
    """The template of a later release, which tests can improve."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Template:
    with engine.template() as now:
        shutil.copytree(now, tmp_path / "templates")

    @contextmanager
    def template() -> Iterator[Path]:
        yield tmp_path / "templates"

    monkeypatch.setattr(engine, "template", template)
    return Template(tmp_path / "templates")


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_became_better_arrives_and_what_is_mine_stays(tmp_path: Path, later: Template) -> None:
    mine = committed(tmp_path)
    changed(mine / "README.md", "# My Server", "# The Tides")
    changed(mine / PACKAGE / "settings.py", '"INFO"', '"DEBUG"')
    (mine / "extra.txt").write_text("mine\n")
    (mine / "deploy" / "Caddyfile").unlink()
    commit(mine, "mine")

    later.change("project/README.md.jinja", "## Keep it up to date", "## Stay up to date")
    later.change("project/Dockerfile.jinja", "python:3.13-slim", "python:3.14-slim")
    later.change("project/deploy/Caddyfile.jinja", "flush_interval -1", "flush_interval  -1")
    question = "\nsea:\n  type: str\n  default: North Sea\n"
    later.change("copier.yml", "\nport:\n", f"{question}\nport:\n")
    (later.folder / "project" / "NEWS.md.jinja").write_text("# {{ title }}, {{ sea }}\n")
    (later.folder / "project" / ".gitattributes.jinja").unlink()
    done = update(mine, ask=False)

    assert done.conflicts == ()
    assert set(done.changed) == {"README.md", "Dockerfile", "NEWS.md", ".gitattributes"}
    readme = (mine / "README.md").read_text("utf-8")
    assert readme.startswith("# The Tides")
    assert "## Stay up to date" in readme
    assert '"DEBUG"' in (mine / PACKAGE / "settings.py").read_text("utf-8")
    assert "python:3.14-slim" in (mine / "Dockerfile").read_text("utf-8")
    assert (mine / "extra.txt").read_text() == "mine\n"
    assert (mine / "NEWS.md").read_text() == "# My Server, North Sea\n"
    assert not (mine / "deploy" / "Caddyfile").exists(), "what was deleted stays deleted"
    assert not (mine / ".gitattributes").exists(), "what nobody needs any more goes"
    answers = answers_of(mine)
    assert (answers["generation"], answers["sea"]) == (2, "North Sea")


@takes_long
def test_an_update_begins_where_the_last_one_ended(tmp_path: Path, later: Template) -> None:
    mine = committed(tmp_path)
    for version in ("14", "15"):
        later.change("project/Dockerfile.jinja", f"3.{int(version) - 1}-slim", f"3.{version}-slim")
        assert update(mine, ask=False).changed == ("Dockerfile",)
        commit(mine, "updated")
        assert update(mine, ask=False).changed == (), "there is nothing more to bring"


@takes_long
@pytest.mark.parametrize("template", engine.TEMPLATES)
def test_nothing_else_is_touched(tmp_path: Path, later: Template, template: str) -> None:
    mine = committed(tmp_path, template)
    later.change("project/README.md.jinja", "## Keep it up to date", "## Stay up to date")
    assert update(mine, ask=False).changed == ("README.md",)
    assert git(mine, "diff", "--stat").count("|") == 3, "the README, the answers, what was made"


@takes_long
def test_where_both_changed_the_same_line_somebody_has_to_choose(
    tmp_path: Path, later: Template
) -> None:
    mine = committed(tmp_path)
    changed(mine / "Dockerfile", "AS runtime", "AS mine")
    commit(mine, "mine")
    later.change("project/Dockerfile.jinja", "3.13-slim AS runtime", "3.14-slim AS runtime")
    done = update(mine, ask=False)
    assert done.conflicts == ("Dockerfile",)
    text = (mine / "Dockerfile").read_text("utf-8")
    assert "<<<<<<< before updating\nFROM python:3.13-slim AS mine" in text
    assert "FROM python:3.14-slim AS runtime\n>>>>>>> after updating" in text


@takes_long
def test_a_project_in_a_folder_of_a_repository_is_updated(tmp_path: Path, later: Template) -> None:
    whole = tmp_path / "whole"
    (whole / "services").mkdir(parents=True)
    shutil.move(committed(tmp_path), whole / "services")
    shutil.rmtree(whole / "services" / NAME / ".git")
    git(whole, "init", "--quiet")
    commit(whole, "made")
    (whole / "elsewhere.txt").write_text("not committed, and nobody's business\n")
    later.change("project/Dockerfile.jinja", "python:3.13-slim", "python:3.14-slim")
    done = update(whole / "services" / NAME, ask=False)
    assert [Path(name).name for name in done.changed] == ["Dockerfile"]


def test_without_a_repository_nothing_is_updated(tmp_path: Path) -> None:
    mine = committed(tmp_path)
    shutil.rmtree(mine / ".git")
    with pytest.raises(LockgateError, match="in no git repository"):
        update(mine, ask=False)


def test_what_is_not_committed_is_not_mixed_with_an_update(tmp_path: Path) -> None:
    mine = committed(tmp_path)
    (mine / "README.md").write_text("begun\n")
    with pytest.raises(LockgateError, match="not committed"):
        update(mine, ask=False)


def test_what_lockgate_did_not_make_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(LockgateError, match="no project that"):
        update(tmp_path, ask=False)
    (tmp_path / ANSWERS).write_text("_src_path: gh:somebody/else\n_commit: v1\n")
    with pytest.raises(LockgateError, match="no project that"):
        update(tmp_path, ask=False)


def test_a_project_of_a_newer_lockgate_is_left_alone(tmp_path: Path) -> None:
    mine = committed(tmp_path)
    changed(mine / ANSWERS, 'made_with: "', 'made_with: "9')
    with pytest.raises(LockgateError, match="made with Lockgate 9"):
        update(mine, ask=False)


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_without_what_it_once_was_nothing_is_updated(tmp_path: Path, content: bytes | None) -> None:
    mine = committed(tmp_path)
    (mine / kept.PLACE).unlink()
    if content is not None:
        (mine / kept.PLACE).write_bytes(content)
    with pytest.raises(LockgateError, match="nobody knows what the project once was"):
        update(mine, ask=False)
