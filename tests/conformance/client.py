"""The client the suite starts: puts a gateway in front of the suite's server and speaks to that.

The suite appends the address of its server, names the scenario and the revision in the
environment, and judges what its server saw: the upstream half of the gateway.
With ``LOCKGATE_DIRECT=1`` it speaks to the suite's server itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conformance import authorized
from tests.support import running
from tests.support.speaking import HANDSHAKE, Plain, RefusedError

SCENARIOS: dict[str, Callable[[Plain], None]] = {}


def scenario(*names: str) -> Callable[[Callable[[Plain], None]], Callable[[Plain], None]]:
    """Do this in the scenarios of these names."""

    def kept(function: Callable[[Plain], None]) -> Callable[[Plain], None]:
        SCENARIOS.update(dict.fromkeys(names, function))
        return function

    return kept


def call(client: Plain, name: str, arguments: dict[str, Any] | None = None) -> Any:
    """Call a tool and answer what its server asks."""
    return client.call("tools/call", {"name": name, "arguments": arguments or {}})


@scenario("request-metadata")
def declare(client: Plain) -> None:
    client.tools()
    # The gateway lists on its own behalf; only a call carries what this client declares.
    with contextlib.suppress(RefusedError):
        call(client, "unlisted")


@scenario("initialize", "json-schema-ref-no-deref")
def list_only(client: Plain) -> None:
    client.tools()


@scenario("tools_call")
def add(client: Plain) -> None:
    client.tools()
    call(client, "add_numbers", {"a": 5, "b": 3})


@scenario("elicitation-sep1034-client-defaults")
def fill_form(client: Plain) -> None:
    client.tools()
    # This server asks on the standalone stream, which every official client keeps open.
    with client.listening() as events:

        def attend() -> None:
            with contextlib.suppress(OSError, ValueError):
                for event in events:
                    client.attend(event)

        threading.Thread(target=attend, daemon=True).start()
        call(client, "test_client_elicitation_defaults")


@scenario("sse-retry")
def reconnect(client: Plain) -> None:
    client.tools()
    call(client, "test_reconnection")


@scenario("sep-2322-client-request-state")
def rounds(client: Plain) -> None:
    client.tools()
    for name in ("echo_state", "unrelated", "no_state", "unrelated", "no_result_type"):
        call(client, f"test_mrtr_{name}")


@scenario("http-standard-headers")
def every_method(client: Plain) -> None:
    for tool in client.tools():
        call(client, tool["name"])
    for resource in client.everything("resources/list", "resources"):
        client.ask("resources/read", {"uri": resource["uri"]})
    for prompt in client.everything("prompts/list", "prompts"):
        client.ask("prompts/get", {"name": prompt["name"]})


@scenario("http-custom-headers")
def mirrored_arguments(client: Plain) -> None:
    client.tools()
    for one in json.loads(os.environ["MCP_CONFORMANCE_CONTEXT"])["toolCalls"]:
        call(client, one["name"], one["arguments"])


@scenario("http-invalid-tool-headers")
def every_tool_there_is(client: Plain) -> None:
    names = [tool["name"] for tool in client.tools()]
    client.schemas = {name: client.schemas[name] for name in names if name == "valid_tool"}
    for name in names:
        call(client, name, {"region": "here"})
    for name in ("invalid_object_header", "invalid_duplicate_same_case"):
        with contextlib.suppress(RefusedError):
            call(client, name, {"region": "here"})


@scenario("json-schema-2020-12-preservation")
def schema_and_back(client: Plain) -> None:
    schemas = {tool["name"]: tool["inputSchema"] for tool in client.tools()}
    call(client, "json_schema_echo", {"schema": schemas["json_schema_2020_12_tool"]})


@contextlib.contextmanager
def in_front_of(url: str, name: str) -> Iterator[str]:
    """A gateway in front of the suite's server; gives its own address."""
    if os.environ.get("LOCKGATE_DIRECT"):
        yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        # The suite calls tools that its server does not list, and sends null for text.
        guard = {"arguments": {"mode": "off"}}
        servers = {"suite": {"url": url, "pins": "off", "guard": guard}}
        config = running.config_of(servers, Path(folder))
        if name.startswith("auth/"):
            config = authorized.configured(name, url, Path(folder))
        with running.gateway(config) as own:
            yield own


def give_up(number: int, frame: object) -> None:
    """Leave in order, so that the gateway does not outlive this process."""
    raise SystemExit(f"gave up on signal {number}")


def main() -> None:
    """Run the scenario the environment names against the address that comes last."""
    signal.signal(signal.SIGTERM, give_up)
    signal.signal(signal.SIGALRM, give_up)
    # Sooner than the suite's own limit, after which it would just kill this process.
    signal.alarm(25)
    name = os.environ["MCP_CONFORMANCE_SCENARIO"]
    revision = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", HANDSHAKE)
    with in_front_of(sys.argv[-1], name) as url:
        client = Plain(url, revision)
        if name == "request-metadata":
            client.capabilities = {"roots": {}, "sampling": {}, "elicitation": {}}
        if name.startswith("auth/"):
            authorized.run(client)
        else:
            SCENARIOS[name](client.open())


if __name__ == "__main__":
    main()
