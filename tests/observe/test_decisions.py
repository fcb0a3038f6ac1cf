"""What is logged of calls: the code and reason of what went wrong, never what was in the call."""

from __future__ import annotations

import logging

import pytest

from lockgate.core.message import Call, ClientFacts, Failure
from lockgate.core.policy import Decision
from lockgate.gateway.news import News
from lockgate.observe.decisions import record_decision, record_failure
from lockgate.upstreams.supervisor import UpstreamState

CALL = Call(method="tools/call", client=ClientFacts(era="modern", protocol_version="2026-07-28"))


def facts(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    (record,) = caplog.records
    return vars(record)


def test_a_failure_is_logged_with_its_code(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "lockgate.calls"):
        record_failure(CALL, Failure(-32603, "gone", "upstream", "server-unavailable", detail="d"))
    said = facts(caplog)
    assert (said["code"], said["reason"]) == ("LG-601", "server-unavailable")
    assert said["levelname"] == "WARNING"
    assert said["message"] == "call failed: gone [d]"


def test_a_decision_is_logged_with_its_code(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "lockgate.calls"):
        record_decision(CALL, Decision("concurrency", "refused", 0.1, "too-many-calls"))
    assert facts(caplog)["code"] == "LG-401"


def test_what_a_broken_policy_raised_is_logged_with_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "lockgate.calls"):
        record_decision(CALL, Decision("mine", "crashed", 0.1, "policy-crashed", "KeyError('x')"))
    said = facts(caplog)
    assert (said["levelname"], said["code"]) == ("ERROR", "LG-502")
    assert said["message"] == "call crashed: policy-crashed [KeyError('x')]"


@pytest.mark.parametrize("reason", [None, "somebody-elses"])
def test_what_has_no_code_is_logged_without(
    reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "lockgate.calls"):
        record_decision(CALL, Decision("theirs", "refused", 0.1, reason))
    assert "code" not in facts(caplog)


def test_why_a_server_is_away_is_logged_with_its_code(caplog: pytest.LogCaptureFixture) -> None:
    state = UpstreamState(phase="backoff", last_error="no", reason="connect-refused")
    with caplog.at_level(logging.DEBUG, "lockgate.servers"):
        News().changed("a", state)
    assert facts(caplog)["code"] == "LG-702"
