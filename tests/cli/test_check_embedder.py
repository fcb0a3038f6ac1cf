"""`lockgate check` of a configuration with an embedder: whether it answers, and how soon."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lockgate.cli.main import program
from lockgate.gateway import nearness
from tests.cli.program import config_file
from tests.support.embedding import KEY, Service, beside, meant

pytest.importorskip("numpy")


def checked(one: Service, folder: Path, *words: str, semantic: str = "auto", **more: Any) -> Result:
    search = {"semantic": semantic, "embedder": one.settings(**more)}
    path = str(config_file(folder, {}, search=search))
    done = CliRunner().invoke(
        program, ["check", *words, path], standalone_mode=False, catch_exceptions=False
    )
    assert KEY not in done.output
    return done


def test_one_that_answers(tmp_path: Path) -> None:
    with beside() as one:
        done = checked(one, tmp_path)
        assert done.return_value == 0
        text = " ".join(done.output.split())
        assert "embedder: answers, small-1 at http://127.0.0.1:" in text
        assert "4 dimensions" in text
        # Asked twice, with nothing but the probe.
        assert one.said == ["what a text means"] * 2
        found = json.loads(checked(one, tmp_path, "--json").output)["embedder"]
        assert (found["outcome"], found["dimensions"], found["wait"]) == ("answers", 4, 10)
        one.asked.clear()
        for said in (checked(one, tmp_path, "--no-start"), checked(one, tmp_path, semantic="off")):
            assert "embedder" not in said.output
        assert not one.asked


def slowly(text: str) -> list[float]:
    time.sleep(0.02)
    return meant(text)


def test_what_is_wrong_with_one_has_a_code_and_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with beside() as one:
        one.wrong = lambda _: (401, (), KEY.encode())
        done = checked(one, tmp_path)
        assert done.return_value == 1
        assert "LG-523" in done.output
        assert "→ Correct url" in done.output
        assert checked(one, tmp_path, "--fail-on", "never").return_value == 0
        one.wrong = lambda _: (503, (), b"")
        done = checked(one, tmp_path)
        assert done.return_value == 3
        assert "LG-524" in done.output
        one.wrong, one.embeds = None, slowly
        done = checked(one, tmp_path, wait=0.005)
        assert done.return_value == 0
        assert "embedder: late" in done.output
        assert "search.embedder.wait" in done.output
        assert checked(one, tmp_path, "--fail-on", "warning", wait=0.005).return_value == 1
        monkeypatch.setattr(nearness, "installed", lambda: False)
        done = checked(one, tmp_path)
        assert done.return_value == 1
        assert "lockgate[vectors]" in done.output
