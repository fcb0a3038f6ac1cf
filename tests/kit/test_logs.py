"""A line is one line on stderr, with its request, and without secrets, whoever logs it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.kit import logs, request

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


class Err:
    """What was written to stderr since the last look."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def text(self) -> str:
        return self._captured.readouterr().err

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def err(capsys: pytest.CaptureFixture[str]) -> Iterator[Err]:
    root = logging.getLogger()
    before, level, told = list(root.handlers), root.level, logging.raiseExceptions
    yield Err(capsys)
    root.handlers, root.level, logging.raiseExceptions = before, level, told


def test_a_line_has_what_was_said_by_name(err: Err) -> None:
    logs.configure("info")
    log = logs.logger("scraper")
    log.info("fetched %s", "it", url="https://example.com", bytes=7, name="shadowed")
    log.debug("nobody sees")
    (line,) = err.lines()
    assert (line["message"], line["level"], line["logger"]) == ("fetched it", "info", "scraper")
    assert (line["url"], line["bytes"], line["name_"]) == ("https://example.com", 7, "shadowed")


def test_a_line_has_its_request_and_what_is_bound(err: Err) -> None:
    logs.configure()
    with request.given(caller="alice", tool="search", id="7"), logs.bound(batch="b1"):
        logging.getLogger("somebody.else").warning("slow")
        with logs.bound(page=2):
            logs.logger("x").info("page")
    logs.logger("x").info("after")
    first, second, third = err.lines()
    assert (first["caller"], first["tool"], first["request"]) == ("alice", "search", "7")
    assert first["batch"] == second["batch"] == "b1"
    assert second["page"] == 2
    assert "caller" not in third
    assert "batch" not in third


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_gets_into_a_line(err: Err, form: Any) -> None:
    logs.configure(form=form, secrets=["open sesame"])
    log = logs.logger("x")
    log.info(f"with {TOKEN}", nested={"deep": [TOKEN]}, password="hunter2", text="open sesame")
    log.info("headers", headers={"Authorization": f"Bearer {TOKEN}", "X-Api-Key": "abc"})
    try:
        raise ValueError(f"https://user:s3cr3tpassw0rd@example.com failed with {TOKEN}")
    except ValueError:
        log.exception("failed")
    said = err.text()
    for secret in (TOKEN, "hunter2", "open sesame", "s3cr3tpassw0rd"):
        assert secret not in said
    assert "failed" in said


def test_nothing_forges_a_line_or_drives_a_terminal(err: Err) -> None:
    logs.configure(form="text")
    logs.logger("x").info("one\nERROR forged\x1b[2J", url="a\r\nb\u202e")
    said = err.text()
    assert said.count("\n") == 1
    assert not set(said) & set("\x1b\r\u202e")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=40), st.sampled_from(["", f'"token": "{TOKEN}"', f"password={TOKEN}\\"]))
def test_every_line_is_json_whatever_is_logged(err: Err, text: str, secret: str) -> None:
    logs.configure()
    logs.logger("x").info("%s", text + secret + text, value={text: secret + text})
    (line,) = err.lines()
    assert TOKEN not in json.dumps(line)


def test_what_is_logged_is_bounded_and_what_cannot_be_said_is_said_otherwise(
    err: Err,
) -> None:
    logs.configure()
    endless: list[Any] = []
    endless.append(endless)
    logs.logger("x").info("x" * 100_000, value="y" * 100_000, odd=object(), endless=endless)
    said = err.text()
    assert len(said) < 3 * logs.LONGEST
    assert json.loads(said)["odd"].startswith("<object")


def test_nothing_is_ever_written_to_stdout(err: Err, capsys: pytest.CaptureFixture[str]) -> None:
    assert err is not None
    logs.configure("debug")
    logs.logger("x").error("to stderr")
    logging.getLogger("x").error("%d", "no number")
    assert capsys.readouterr().out == ""


def test_what_wrote_to_the_terminal_does_no_longer_and_other_handlers_stay(
    err: Err, tmp_path: Path
) -> None:
    fastmcp = pytest.importorskip("fastmcp.utilities.logging")
    fastmcp.configure_logging("INFO")
    other = logging.getLogger("kept")
    kept, gone = logging.FileHandler(tmp_path / "log"), logging.StreamHandler(sys.stderr)
    other.addHandler(kept)
    other.addHandler(gone)
    try:
        logs.configure()
        logging.getLogger("fastmcp.server").warning("once")
        other.warning("twice")
        assert [line["message"] for line in err.lines()] == ["once", "twice"]
        assert other.handlers == [kept]
        assert (tmp_path / "log").read_text() == "twice\n"
    finally:
        other.removeHandler(kept)
        kept.close()


def test_as_a_processor_of_structlog_it_cleans_an_event() -> None:
    event = {"event": f"used {TOKEN}", "api_key": "abc", "count": 3}
    cleaned = logs.redacted(None, "info", event)
    assert TOKEN not in cleaned["event"]
    assert (cleaned["api_key"], cleaned["count"]) == ("********", 3)
