"""`lockgate explain`: a code, a reason, an error that somebody pasted."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lockgate.cli import explain
from lockgate.core.codes import ENTRIES, TABLE
from lockgate.core.message import Failure
from lockgate.wire.envelope import failure_error
from tests.cli.program import COMMAND, environment, run

WORDS = ["LG-601", "lg-601", "601", "lg601", "LG_601", "server-unavailable", "Server_Unavailable"]


def piped(text: str | bytes, *args: str) -> Any:
    return CliRunner().invoke(explain.command, args, input=text)


def found(text: str | bytes) -> list[str]:
    done = piped(text, "--json")
    assert done.exit_code == 0, done.output
    return [one["code"] for one in json.loads(done.stdout)]


@pytest.mark.parametrize("word", WORDS)
def test_an_error_has_many_spellings(word: str) -> None:
    done = CliRunner().invoke(explain.command, [word])
    assert done.exit_code == 0
    assert done.stdout.startswith("LG-601  server-unavailable\n")
    assert "docs/errors.md#lg-601" in done.stdout


def test_it_is_written_for_people() -> None:
    done = run("explain", "upstream-timeout")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "LG-602  upstream-timeout",
        "No answer within the server's time; it was told to stop.",
        "  → Raise the server's timeout if the call is known to take long.",
        "  whose turn       the server that was asked, or whoever runs it",
        "  try again        Only what may run twice: the server may have executed it already.",
        "  JSON-RPC code    -32603",
        "  HTTP, stateless  200",
        "  HTTP, handshake  200",
        "  more             docs/errors.md#lg-602",
    ]


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.code)
def test_every_error_can_be_explained(entry: Any) -> None:
    for word in (entry.code, entry.reason):
        done = CliRunner().invoke(explain.command, [word])
        assert done.exit_code == 0
        assert entry.meaning in done.stdout.replace("\n", " ")
    (plain,) = json.loads(CliRunner().invoke(explain.command, [entry.code, "--json"]).stdout)
    assert (plain["reason"], plain["remedy"]) == (entry.reason, entry.remedy)


def test_an_unknown_one_gets_a_suggestion() -> None:
    done = run("explain", "server-unavailble")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean server-unavailable?" in done.stderr
    assert "Did you mean LG-" in run("explain", "LG-699").stderr
    assert "docs/errors.md" in run("explain", "???").stderr


@pytest.mark.parametrize("reason", ["server-unavailable", "too-many-calls", "unknown-tool"])
def test_what_a_client_got_can_be_pasted(reason: str) -> None:
    entry = ENTRIES[reason]
    said = failure_error(1, Failure(-32603, "m", "gateway", reason, data={"retry_after": 2}))
    assert found(said) == [entry.code]
    assert found(json.dumps(json.loads(said)["error"])) == [entry.code]
    assert found(json.dumps({"error": {"reason": reason}})) == [entry.code]
    assert found(b"data: " + said + b"\n\n") == [entry.code]
    assert found(f"12:00 WARNING call failed code={entry.code} reason=x\n") == [entry.code]


def test_findings_logs_and_a_servers_own_errors_can_be_pasted() -> None:
    findings = [{"code": "LG-806", "id": "unknown-key"}, {"id": "syntax"}, {"id": "syntax"}]
    assert found(json.dumps(findings)) == ["LG-806", "LG-802"]
    assert found('{"jsonrpc":"2.0","id":1,"error":{"code":-5,"message":"theirs"}}') == ["LG-600"]
    several = piped("LG-601, then LG-602\n").stdout
    assert several.index("LG-601  ") < several.index("\n\nLG-602  ")


@pytest.mark.parametrize("text", ["", "nothing here", "[]", '{"error": 1}', "LG-999", "\x00\xff"])
def test_what_holds_no_error_is_refused(text: str) -> None:
    done = piped(text)
    assert done.exit_code == 2
    assert "No error of Lockgate's" in done.stderr


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_nothing_that_is_pasted_breaks_it(text: str | bytes) -> None:
    assert piped(text).exit_code in {0, 2}


def test_deep_and_large_texts_are_bounded() -> None:
    assert piped("[" * 100_000).exit_code == 2
    assert piped('{"a":' * 500 + '{"reason":"syntax"}' + "}" * 500).exit_code == 2
    assert piped("x" * 3_000_000).exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_codes_and_reasons_complete(shell: str) -> None:
    for begun, wanted in (("lg-60", "LG-601"), ("server-un", "server-unavailable")):
        words = {
            "COMP_WORDS": f"lockgate explain {begun}",
            "COMP_CWORD": begun if shell == "fish" else "2",
        }
        assert wanted in run(_LOCKGATE_COMPLETE=f"{shell}_complete", **words).stdout


def test_without_anything_it_says_what_it_needs() -> None:
    done = subprocess.run(
        [*COMMAND, "explain"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=20,
    )
    assert done.returncode == 2
    assert "standard input" in done.stderr or "what was read" in done.stderr
