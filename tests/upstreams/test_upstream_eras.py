"""The verdict on a probe, as a table."""

from typing import Any, get_args

import pytest

from lockgate.upstreams.eras import VERDICTS, Answer, Probe, Transport, classify, verdict

CASES: list[tuple[Transport, dict[str, Any], str]] = [
    ("http", {"status": 200, "result": True, "supported": ("2026-07-28",)}, "modern"),
    ("http", {"status": 200, "result": True, "supported": ("2025-11-25",)}, "handshake"),
    ("http", {"status": 200, "result": True, "supported": ("2099-01-01",)}, "unsupported"),
    ("http", {"status": 400, "code": -32020}, "modern"),
    ("http", {"status": 400, "code": -32021}, "modern"),
    ("http", {"status": 400, "code": -32022}, "modern"),
    ("http", {"status": 400, "code": -32022, "supported": ("2026-07-28",)}, "modern"),
    ("http", {"status": 400, "code": -32022, "supported": ("2025-11-25",)}, "handshake"),
    ("http", {"status": 400, "code": -32022, "supported": ("2099-01-01",)}, "unsupported"),
    ("http", {"status": 400, "code": -32600}, "handshake"),
    ("http", {"status": 200, "code": -32601}, "handshake"),
    ("http", {"status": 404}, "handshake"),
    ("http", {"status": 405}, "handshake"),
    ("http", {"status": 401}, "none"),
    ("http", {"status": 403, "code": -32022}, "none"),
    ("http", {"status": 500}, "none"),
    ("http", {"status": 503, "code": -32000}, "none"),
    ("http", {"status": 429}, "none"),
    ("http", {}, "none"),
    ("stdio", {"result": True, "supported": ("2026-07-28",)}, "modern"),
    ("stdio", {"code": -32022}, "modern"),
    ("stdio", {"code": -32601}, "handshake"),
    ("stdio", {"code": -32602}, "handshake"),
    ("stdio", {}, "handshake"),
]


@pytest.mark.parametrize(("transport", "probe", "expected"), CASES)
def test_verdicts(transport: Transport, probe: dict[str, Any], expected: str) -> None:
    assert verdict(transport, Probe(**probe)) == expected


def test_every_answer_has_a_verdict_on_every_transport_it_can_come_on() -> None:
    for answer in get_args(Answer):
        for transport in get_args(Transport):
            if (transport, answer) != ("stdio", "unauthorized"):
                assert (transport, answer) in VERDICTS


def test_stdio_has_no_status_to_be_unauthorized_by() -> None:
    assert classify(Probe(code=401)) == "other-error"
