"""The exchanges of the guide, sent to the server of the same page, and through the gateway."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.guide.pages import Block, blocks
from tests.support.running import config_of, free_port, gateway

pytest.importorskip("mcp")
import uvicorn

SENT = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
ANY = "…"
HELD = re.compile(r"<([a-z]+)>")
PATIENCE = 60


def served(source: str) -> tuple[uvicorn.Server, threading.Thread, str]:
    """The page's server in a thread; ends when its `should_exit` is set."""
    module = ModuleType("guide_server")
    sys.modules["guide_server"] = module  # where its annotations are looked up
    exec(compile(source, "<guide>", "exec"), module.__dict__)  # noqa: S102 - a page of ours
    port = free_port()
    config = uvicorn.Config(module.mcp.streamable_http_app(), port=port, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    give_up = time.monotonic() + PATIENCE
    while not server.started and time.monotonic() < give_up:
        thread.join(0.02)
    return server, thread, f"http://127.0.0.1:{port}/mcp"


@pytest.fixture(scope="module", params=["itself", "gateway"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    (block,) = blocks("protocol", "python server")
    server, thread, direct = served(block.text)
    try:
        if request.param == "itself":
            yield direct
        else:
            folder = tmp_path_factory.mktemp("guide")
            with gateway(config_of({"demo": {"url": direct}}, folder)) as through:
                yield through
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def exchanges(page: str) -> list[tuple[Block, Block]]:
    found = blocks(page, "http")
    assert len(found) % 2 == 0
    return list(zip(found[::2], found[1::2], strict=True))


def test_every_exchange_goes_as_the_page_says(url: str) -> None:
    held: dict[str, str] = {}
    for request, response in exchanges("protocol"):
        status, headers, body = sent(url, filled(request.text, held))
        first, wanted, data = parsed(response.text)
        where = f"line {response.line}: {body!r}"
        assert status == int(first.split()[1]), where
        for name, value in wanted.items():
            hold(value, headers.get(name.lower(), ""), held, where)
        if data:
            compare(json.loads(data), json.loads(body), where)


def parsed(text: str) -> tuple[str, dict[str, str], str]:
    """The first line, the headers and the body of a message."""
    head, _, body = text.partition("\n\n")
    first, *lines = head.strip().splitlines()
    return first, dict(line.split(": ", 1) for line in lines), body


def filled(text: str, held: dict[str, str]) -> str:
    return HELD.sub(lambda one: held[one[1]], text)


def sent(url: str, text: str) -> tuple[int, dict[str, str], str]:
    first, headers, body = parsed(text)
    method, _, _ = first.split()
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=PATIENCE)
    connection.request(method, place.path, body.encode(), {**SENT, **headers})
    answer = connection.getresponse()
    got = {name.lower(): value for name, value in answer.getheaders()}
    data = answer.read().decode()
    connection.close()
    if got.get("content-type", "").startswith("text/event-stream"):
        lines = [line.removeprefix("data:").strip() for line in data.splitlines()]
        data = next(line for line in lines if line.startswith("{") and '"id"' in line)
    return answer.status, got, data


def hold(wanted: str, got: str, held: dict[str, str], where: str) -> None:
    found = HELD.fullmatch(wanted)
    if found:
        assert got, where
        held[found[1]] = got
    else:
        assert got.startswith(wanted) or wanted == ANY, where


def compare(wanted: Any, got: Any, where: str) -> None:
    """Everything that is written is there; what is not written may be."""
    if wanted in (ANY, [ANY]):
        assert got is not None, where
    elif isinstance(wanted, dict):
        for name, one in wanted.items():
            assert name in got, where
            compare(one, got[name], where)
    elif isinstance(wanted, list):
        assert len(wanted) == len(got), where
        for one, other in zip(wanted, got, strict=True):
            compare(one, other, where)
    else:
        assert wanted == got, where


def test_the_comparison_can_fail() -> None:
    for wanted, got in [({"a": 1}, {"a": 2}), ([1], [1, 2]), ({"a": ANY}, {}), ("x", "y")]:
        with pytest.raises(AssertionError):
            compare(wanted, got, "")
