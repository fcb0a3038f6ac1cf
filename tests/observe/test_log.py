"""Log lines: readable or JSON, without secrets, and nobody can forge one."""

from __future__ import annotations

import io
import json
import logging

import pytest

from lockgate.observe.log import Format, colours, configure, level_of

LOG = logging.getLogger("lockgate.upstreams.time")


pytestmark = pytest.mark.usefixtures("log_as_it_was")


def test_text_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    LOG.info("started %s", "time", extra={"pid": 12})
    LOG.debug("not seen")
    out, err = capsys.readouterr()
    assert out == ""
    assert err[9:] == "INFO    upstreams.time  started time pid=12\n"


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    try:
        raise ValueError("boom")
    except ValueError:
        LOG.exception("failed", extra={"server": "time"})
    line = json.loads(capsys.readouterr().err)
    assert line["level"] == "error"
    assert line["logger"] == "lockgate.upstreams.time"
    assert line["message"] == "failed"
    assert line["server"] == "time"
    assert "ValueError: boom" in line["exception"]
    assert line["time"].endswith("Z")


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_blackened_wherever_they_stand(
    form: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = 'planted "quoted" \u20ac\\value'
    configure("debug", form, {secret, "planted"})
    try:
        raise ValueError(secret)
    except ValueError:
        LOG.exception("with %s", secret, extra={"header": f"Bearer {secret}"})
    err = capsys.readouterr().err
    assert "planted" not in err
    assert "quoted" not in err
    assert "********" in err


def test_a_line_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    LOG.warning("server said %s", "x\n12:00:00 ERROR fake\x1b[31m\u202e")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err
    assert "\u202e" not in err
    assert "x\\n12:00:00" in err


def test_configuring_again_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    configure("warning", "json")
    LOG.info("no")
    LOG.warning("yes")
    assert json.loads(capsys.readouterr().err)["message"] == "yes"


def test_the_level_of_a_flag_wins_over_the_environment_and_that_over_the_file() -> None:
    assert level_of("error", {"LOCKGATE_LOG": "debug"}, "info") == "error"
    assert level_of(None, {"LOCKGATE_LOG": "DEBUG"}, "info") == "debug"
    assert level_of(None, {"LOCKGATE_LOG": "loud"}, "info") == "info"
    assert level_of(None, {}, "warning") == "warning"


def test_colours_are_for_terminals() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert colours({}, Terminal())
    assert not colours({}, io.StringIO())
    assert not colours({"NO_COLOR": "1"}, Terminal())
    assert not colours({"TERM": "dumb"}, Terminal())
    assert colours({"FORCE_COLOR": "1"}, io.StringIO())
