"""Files that change: when a change counts, and when it does not yet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lockgate.config.load import examine
from lockgate.config.watch import Watch, sources


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mcp.json"
    path.write_text("one")
    return path


def looks(watch: Watch, times: int = 4) -> list[bool]:
    return [watch.look() for _ in range(times)]


def test_a_change_counts_once_when_it_has_come_to_rest(file: Path) -> None:
    watch = Watch(file)
    assert looks(watch) == [False] * 4
    file.write_text("three")
    assert looks(watch) == [False, True, False, False]


def test_a_file_that_is_being_written_is_left_alone(file: Path) -> None:
    watch = Watch(file)
    for length in range(4, 10):
        file.write_text("x" * length)
        assert not watch.look()
    assert watch.look()


def test_the_same_content_again_is_no_change(file: Path) -> None:
    watch = Watch(file)
    os.utime(file, ns=(1, 1))
    assert looks(watch) == [False] * 4
    file.write_text("two")
    watch.look()
    file.write_text("one")
    assert looks(watch) == [False] * 4


def test_a_file_that_is_replaced_or_gone(file: Path) -> None:
    watch = Watch(file)
    new = file.with_name("new")
    new.write_text("two")
    os.utime(new, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    new.replace(file)
    assert looks(watch) == [False, True, False, False]
    file.unlink()
    assert looks(watch) == [False, True, False, False]
    file.write_text("two")
    assert looks(watch) == [False, True, False, False]


def test_symbolic_links_that_are_exchanged(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mcp.json").write_text(name)
    link, other = tmp_path / "now", tmp_path / "next"
    link.symlink_to("a")
    watch = Watch(link / "mcp.json")
    other.symlink_to("b")
    other.replace(link)
    assert looks(watch) == [False, True, False, False]


def test_what_has_been_taken_is_known(file: Path) -> None:
    watch = Watch(file)
    file.write_text("two")
    watch.take()
    assert looks(watch) == [False] * 4


def test_env_files_are_followed_as_long_as_they_are_named(file: Path) -> None:
    env = file.with_name(".env")
    env.write_text("A=1")
    server = '{"mcpServers": {"a": {"command": "true", "envFile": ".env"%s}}}'
    watch = Watch(file)
    file.write_text(server % "")
    watch.follow(sources(file, examine(file, {}).tree))
    assert looks(watch, 3) == [False, True, False]
    env.write_text("A=2")
    assert looks(watch, 3) == [False, True, False]
    file.write_text(server % ', "nonsense": []')
    assert sources(file, examine(file, {}).tree) == [file, env]
    watch.follow([file])
    watch.take()
    env.write_text("A=3")
    assert looks(watch, 3) == [False] * 3
