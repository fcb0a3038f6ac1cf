"""`lockgate find`, with real servers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lockgate.gateway import minilm
from tests.cli.program import config_file, run, tiny
from tests.support.embedding import KEY, beside


def test_what_is_found_and_why(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny(), "more": tiny()}, expose="search")
    done = run("find", path, "add two numbers", "--server", "more")
    assert done.returncode == 0, done.stderr
    first, why, *_ = done.stdout.splitlines()
    assert first.split()[1] == "more__add"
    assert "add " in why
    found = json.loads(run("find", path, "tiny__add", "--json", "--limit", "1").stdout)
    (one,) = found
    assert (one["name"], one["exact"]) == ("tiny__add", True)
    assert sum(part["adds"] for part in one["terms"]) > 0


def test_nothing_found(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    done = run("find", path, "quantum chromodynamics")
    assert (done.returncode, done.stdout) == (0, "Nothing is found.\n")


@pytest.mark.skipif(not minilm.installed(), reason="lockgate[semantic] is not installed")
def test_what_words_and_meaning_added_is_said(tmp_path: Path) -> None:
    search = {"semantic": "required", "vectors": "vectors.sqlite"}
    path = config_file(tmp_path, {"tiny": tiny()}, expose="search", search=search)
    done = run("find", path, "sum up")
    assert (done.returncode, done.stderr) == (0, "")
    name, why, *_ = done.stdout.splitlines()
    assert name.split()[1] == "add"
    assert why.split(", ")[0].split()[:2] == ["words", "0.00"]
    assert (tmp_path / "vectors.sqlite").stat().st_mode & 0o777 == 0o600
    one, *_ = json.loads(run("find", path, "sum up", "--json").stdout)
    assert one["score"] == one["meaning"] > one["words"] == 0


def test_an_embedder_outside_of_the_gateway_is_asked(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    with beside() as one:
        search: dict[str, Any] = {"semantic": "required", "vectors": "vectors.sqlite"}
        search["embedder"] = one.settings(key="${EMBEDDER_KEY}", tool_prefix="car ")
        path = config_file(tmp_path, {"tiny": tiny()}, expose="search", search=search)
        done = run("find", path, "limousine", EMBEDDER_KEY=KEY)
        assert (done.returncode, done.stderr) == (0, "")
        assert "meaning 0.5" in done.stdout
        one.wrong = lambda _: (403, (), b"")
        done = run("find", path, "add", EMBEDDER_KEY=KEY)
        assert done.returncode == 0
        assert "Found by words alone" in done.stderr
        assert "LG-523" in done.stderr
        assert KEY not in done.stderr + done.stdout
        assert {one.headers[b"authorization"] for one in one.asked} == {b"Bearer " + KEY.encode()}


def path_of(folder: Path) -> str:
    """What Python looks through, with a folder before it."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_it_says_so_where_words_are_all_there_is(tmp_path: Path) -> None:
    # A module of this name that cannot be imported stands before the real one.
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('broken')")
    search = {"semantic": "auto", "vectors": "vectors.sqlite"}
    path = config_file(tmp_path, {"tiny": tiny()}, expose="search", search=search)
    done = run("find", path, "add two numbers", PYTHONPATH=path_of(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Found by words alone" in done.stderr
    assert "add" in done.stdout
