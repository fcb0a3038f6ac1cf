"""The demo from start to end, in the order it happens.

Must not know: the details of any step.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import FrameType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from demo.installing import install, prepare_files
from demo.pasting import lines
from demo.places import CONFIG, LISTED, LOCKGATE, MODERN, PLACE
from demo.processes import PAUSE, Running, free_port, wait_for_port
from demo.screen import Stopped, Update, console, say, working
from demo.servers import Server, present

PORT = 4040
UNTIL_READY = 60.0
UNTIL_ANSWERED = 120.0
LONGEST_ANSWER = 48  # characters shown of one
LONGEST_FAILURE = 400
REVISIONS = {"handshake": "2025-11-25", "modern": "2026-07-28"}
TRANSLATED = "⇄"


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description="Lockgate before real servers.")
    parser.add_argument("--once", action="store_true", help="stop after the calls")
    parser.add_argument("--port", type=int, default=PORT, help="where to listen (0: anywhere)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return run(options.port, once=options.once)
    except Stopped as stopped:
        console.print(f"\n[red]The demo stopped:[/red] {escape(stopped.what)}\n{stopped.remedy}")
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 0


def run(wanted: int, *, once: bool) -> int:
    """Install, start, call, show, serve."""
    node = install()
    prepare_files()
    with contextlib.ExitStack() as stack:
        servers = present(node=node, say=say)
        write_config(servers, start_listening(servers, stack))
        port = free_port(wanted)
        if wanted and port != wanted:
            say(f"port {wanted} is taken, using {port}")
        gateway = start_gateway(port, stack)
        url = f"http://127.0.0.1:{port}/mcp"
        answers = call(url, servers)
        show(servers, answers)
        failed = [answer for answer in answers if not answer["ok"]]
        if once:
            return 1 if failed else 0
        explain(url)
        while True:
            gateway.check()
            time.sleep(1.0)


def start_listening(servers: list[Server], stack: contextlib.ExitStack) -> dict[str, str]:
    """Start the servers that listen at a port; returns their URLs."""
    started: list[tuple[Running, int]] = []
    urls: dict[str, str] = {}
    for server in servers:
        if not server.http:
            continue
        port = free_port()
        command = [word.format(port=port) for word in server.command]
        more = {key: value.format(port=port) for key, value in server.variables.items()}
        running = Running(server.name, command, PLACE / f"{server.name}.log", more)
        stack.callback(running.stop)
        started.append((running, port))
        urls[server.name] = f"http://127.0.0.1:{port}/mcp"
    with working("starting the servers that listen"):
        for running, port in started:
            wait_for_port(running, port)
    say(f"listening: {', '.join(f'{name} at {url}' for name, url in urls.items())}")
    return urls


def write_config(servers: list[Server], urls: dict[str, str]) -> None:
    """Write the file that clients already have: `{"mcpServers": …}`."""
    entries: dict[str, dict[str, object]] = {}
    for server in servers:
        if server.http:
            entries[server.name] = {"type": "http", "url": urls[server.name]}
            continue
        entry: dict[str, object] = {"command": server.command[0], "args": [*server.command[1:]]}
        if server.variables:
            entry["env"] = dict(server.variables)
        entries[server.name] = entry
    for known in (CONFIG.with_name("lockgate.lock"), CONFIG.with_name("lockgate.pending")):
        # Servers that listen do so at another port each time, so they are not those of last time.
        known.unlink(missing_ok=True)
    CONFIG.write_text(json.dumps({"mcpServers": entries}, indent=2) + "\n", encoding="utf-8")
    say(f"wrote {CONFIG} with {len(entries)} servers")


def start_gateway(port: int, stack: contextlib.ExitStack) -> Running:
    """Start Lockgate and wait until it can serve."""
    command = [str(LOCKGATE), "up", str(CONFIG), "--port", str(port)]
    gateway = Running("lockgate up", command, PLACE / "lockgate.log")

    def stop() -> None:
        with working("stopping Lockgate and its servers"):
            code = gateway.stop()
        say(f"Lockgate stopped with exit code {code}")

    stack.callback(stop)
    with working(f"lockgate up {CONFIG.relative_to(PLACE.parent)} --port {port}") as update:
        state = wait_until_ready(gateway, port, update)
    say(f"Lockgate is ready: {_summary(state)}")
    return gateway


def wait_until_ready(gateway: Running, port: int, update: Update) -> dict[str, Any]:
    """Ask `/ready` until it says so; returns its last answer.

    Raises:
        Stopped: Lockgate ended, or was not ready in time.
    """
    until = time.monotonic() + UNTIL_READY
    state: dict[str, Any] = {}
    while time.monotonic() < until:
        gateway.check()
        state = _get(f"http://127.0.0.1:{port}/ready")
        if state.get("status") == "serving":
            return state
        update(f"waiting until Lockgate is ready: {_summary(state)}")
        time.sleep(PAUSE)
    raise Stopped(
        f"Lockgate was not ready within {UNTIL_READY:g} seconds: {_summary(state)}",
        f"See {gateway.log}, and run make demo again.",
    )


def call(url: str, servers: list[Server]) -> list[dict[str, Any]]:
    """Call one tool of each server through Lockgate with the official client."""
    calls = [{"server": one.name, "tool": one.tool, "arguments": one.arguments} for one in servers]
    with working("calling a tool on each with the official client, in each era"):
        try:
            done = subprocess.run(
                [str(MODERN / "bin" / "python"), str(LISTED / "calling.py")],
                input=json.dumps({"url": url, "calls": calls}),
                capture_output=True,
                text=True,
                timeout=UNTIL_ANSWERED,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Stopped(
                f"the client had no answer within {UNTIL_ANSWERED:g} seconds",
                f"See {PLACE / 'lockgate.log'}.",
            ) from None
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise Stopped(f"the client failed:\n{last}", f"See {PLACE / 'lockgate.log'}.")
    return [json.loads(line) for line in done.stdout.splitlines()]


def show(servers: list[Server], answers: list[dict[str, Any]]) -> None:
    """Print what came back: a row per server, a column per client era."""
    found = {(answer["server"], answer["era"]): answer for answer in answers}
    table = Table(
        title="One tool of each server, through Lockgate",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in ("server", "over", "tool", "answer"):
        table.add_column(name, no_wrap=True)
    for revision in REVISIONS.values():
        table.add_column(revision, justify="right", no_wrap=True)
    room = _room(servers)
    for server in servers:
        of_eras = {era: found.get((server.name, era)) for era in REVISIONS}
        given = [answer for answer in of_eras.values() if answer]
        shown = next((one for one in given if not one["ok"]), given[0] if given else None)
        table.add_row(
            server.name,
            "http" if server.http else "stdio",
            server.tool,
            escape(_cut(server.excerpt(shown["text"]), room)) if shown else "no answer",
            *(
                _milliseconds(one, translated=era not in server.eras)
                for era, one in of_eras.items()
            ),
        )
    console.print()
    console.print(table)
    console.print(
        "[dim]The last columns: milliseconds, for a client of that revision.\n"
        f"{TRANSLATED} The server does not speak that revision; Lockgate translated.[/dim]"
    )
    for answer in answers:
        if not answer["ok"]:
            console.print(
                f"[red]{answer['server']}, {REVISIONS[answer['era']]}:[/red] "
                f"{escape(_cut(answer['text'], LONGEST_FAILURE))}"
            )


def explain(url: str) -> None:
    """Print the lines to paste, and how to stop."""
    console.print("\nTo use it from your client:\n")
    for where, what in lines(url):
        console.print(f"[bold]{where}[/bold]")
        console.print(f"  {escape(what)}", soft_wrap=True)
    console.print(
        f"\nServing {url} until Ctrl-C.\nLockgate's log: {PLACE / 'lockgate.log'}", soft_wrap=True
    )


def _room(servers: list[Server]) -> int:
    """Where a terminal is narrow, only the answers give way."""
    names = max(len(one.name) for one in servers) + max(len(one.tool) for one in servers)
    others = names + len("stdio") + sum(map(len, REVISIONS.values())) + 14
    return max(8, min(LONGEST_ANSWER, console.width - others))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _milliseconds(answer: dict[str, Any] | None, *, translated: bool) -> str:
    if answer is None:
        return "-"
    if not answer["ok"]:
        return "[red]failed[/red]"
    return f"{answer['ms']:.1f} {TRANSLATED if translated else ' '}"


def _summary(state: dict[str, Any]) -> str:
    """How many servers are ready, and what the others are."""
    states = {name: one["state"] for name, one in state.get("servers", {}).items()}
    if not states:
        return "no answer yet"
    others = [f"{name} {is_}" for name, is_ in states.items() if is_ != "ready"]
    ready = f"{len(states) - len(others)} of {len(states)} servers"
    return ", ".join([ready, *others])


def _get(url: str) -> dict[str, Any]:
    """The JSON at a loopback URL, whatever its status; empty while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5.0) as reply:  # noqa: S310 our own loopback URL
            return json.load(reply)
    except urllib.error.HTTPError as error:
        return json.load(error)
    except OSError:
        return {}


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
