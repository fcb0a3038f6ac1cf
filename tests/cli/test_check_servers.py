"""`lockgate check` of servers, as a person or a pipeline runs it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from lockgate.cli.main import program
from lockgate.errors import ConfigError, LockgateError
from tests.cli.program import COMMAND, PATIENCE, config_file, environment
from tests.doctor.guarded import TOKEN, elsewhere
from tests.support.running import free_port

STDIO = Path(__file__).parents[1] / "doctor" / "stdio_patient.py"
PATIENT = [sys.executable, "-I", "-S", str(STDIO)]
SECRET = "wJ4-planted-in-the-environment"


def checked(*args: object) -> Result:
    """What the program prints and returns; what it raises, `main` puts into words."""
    words = ["check", *map(str, args)]
    return CliRunner().invoke(program, words, standalone_mode=False, catch_exceptions=False)


def entry(*wrong: str, **more: object) -> dict[str, object]:
    return {"command": PATIENT[0], "args": [*PATIENT[1:], *wrong], **more}


def test_a_healthy_server_in_one_line_a_step() -> None:
    done = checked("--", *PATIENT)
    assert done.return_value == 0
    lines = done.output.splitlines()
    steps = [line.split()[1] for line in lines if line.startswith("  ok")]
    assert steps[:4] == ["sandbox", "command", "start", "era"]
    assert steps[-1] == "exit"
    assert lines[-1].startswith("Nothing is wrong: ")


def test_what_is_wrong_comes_with_its_cause_and_remedy() -> None:
    done = checked("--", *PATIENT, "stdout-noise")
    assert done.return_value == 1
    text = " ".join(done.output.split())
    assert "error: It prints other things than messages on stdout [stdout-noise]" in text
    assert "│ 'handling" in text
    assert "→ Send them to stderr" in text
    assert checked("--fail-on", "never", "--", *PATIENT, "stdout-noise").return_value == 0


def test_what_cannot_be_reached_has_an_exit_code_of_its_own() -> None:
    done = checked(f"http://127.0.0.1:{free_port()}/mcp")
    assert done.return_value == 3
    assert "[tcp-refused]" in done.output
    assert "skipped" in done.output


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_it_can_be_interrupted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    number = tmp_path / "number"
    waits = f"import os, time; open({str(number)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    child = subprocess.Popen(
        [*COMMAND, "check", "--", sys.executable, "-I", "-S", "-c", waits],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    ends = time.monotonic() + PATIENCE
    while not (number.exists() and number.read_text()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    assert child.wait(PATIENCE) == 130
    while runs(int(number.read_text())):
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_command_in_one_word_and_verbose() -> None:
    done = checked("-v", " ".join(PATIENT))
    assert done.return_value == 0
    assert '> {"jsonrpc": "2.0", "id": 1, "method": "server/discover"' in done.output
    assert "< {" in done.output


def test_options_of_the_servers_own_command_are_explained() -> None:
    with pytest.raises(click.UsageError, match="put -- before"):
        checked("python", "-u", "server.py")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("http://mcp.example/mcp", "--token-env", "NO_SUCH_TOKEN"), "is not set"),
        (("http://mcp.example/mcp", "--token-env", "HOME"), "clear text"),
        (("ws://mcp.example/mcp", "--token-env", "HOME"), "use wss"),
        (("one.json", "two.json"), "One CONFIG"),
        (("python", "--env", "NO_SUCH_VARIABLE"), "not set: NO_SUCH_VARIABLE"),
        (("missing.json",), "missing.json"),
    ],
)
def test_wrong_usage(args: tuple[str, ...], said: str) -> None:
    with pytest.raises((click.UsageError, ConfigError)) as error:
        checked(*args)
    assert said in str(error.value)


def test_every_server_of_a_configuration(tmp_path: Path) -> None:
    servers = {
        "good": entry(),
        "bad": entry("start-module"),
        "far": {"url": f"http://127.0.0.1:{free_port()}/mcp"},
    }
    file = config_file(tmp_path, servers)
    done = checked(file, "--json")
    found = json.loads(done.output)
    assert done.return_value == 3
    outcomes = {one["subject"]: one["outcome"] for one in found["checks"]}
    assert outcomes == {"good": "healthy", "bad": "unreachable", "far": "unreachable"}
    assert {one["name"] for one in found["servers"]} == {"good", "bad"}
    bad = found["checks"][1]
    start = next(step for step in bad["steps"] if step["step"] == "start")
    (finding,) = start["findings"]
    assert finding["id"] == "start-module"
    assert {"means", "saw", "cause", "remedy", "severity"} <= finding.keys()
    text = checked(file).output
    assert text.index("good") < text.index("Nothing is wrong") < text.index("[start-module]")


def test_a_bundle_has_everything_and_no_secret(tmp_path: Path) -> None:
    server = entry("start-environment", "--token", SECRET, env={"ACME_TOKEN": SECRET})
    file = config_file(tmp_path, {"acme": server})
    bundle = tmp_path / "bundle.json"
    done = checked(file, "--bundle", bundle, "-v")
    assert "without secrets" in done.output
    assert SECRET not in done.output
    text = bundle.read_text()
    assert SECRET not in text
    whole = json.loads(text)
    assert whole["servers"][0]["how"]["env"] == ["ACME_TOKEN"]
    assert any(step["exchanges"] for step in whole["servers"][0]["steps"])
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    with pytest.raises(LockgateError, match="exists already"):
        checked(file, "--bundle", bundle)
    assert bundle.read_text() == text


def kept(folder: Path) -> dict[str, object]:
    """Logins, and what belongs to them, in a place of the test's own."""
    return {"logins": {"store": f"sqlite:{folder / 'logins.db'}"}}


def test_credentials_of_a_configuration_are_used(tmp_path: Path) -> None:
    with elsewhere() as url:
        auth = {"type": "client_credentials", "client_id": "c", "client_secret": SECRET}
        file = config_file(tmp_path, {"acme": {"url": url, "auth": auth}}, **kept(tmp_path))
        done = checked(file, "--json", "-v")
    found = json.loads(done.output)["checks"][0]
    step = next(one for one in found["steps"] if one["step"] == "auth")
    assert "the credential is taken" in step["saw"]
    assert done.return_value == 0
    assert TOKEN not in done.output
    assert SECRET not in done.output


def test_where_somebody_has_to_log_in_first_the_way_in_is_looked_at(tmp_path: Path) -> None:
    with elsewhere() as url:
        file = config_file(tmp_path, {"acme": {"url": url, "auth": "oauth"}}, **kept(tmp_path))
        done = checked(file)
    assert done.return_value == 3
    assert "[auth-missing]" in done.output
    assert "[auth-required]" in done.output
