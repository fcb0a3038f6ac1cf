"""`python -m bench`: direct, nginx and Lockgate side by side.

`python -m bench memory`: leaks. `python -m bench sessions`: thousands of clients that stay.

Exit status: 0 good; 1 a bar was missed or an answer was wrong; 2 nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench import crowd, measure, report, targets
from bench.cells import CELLS
from bench.interpreter import Interpreter, look
from bench.messages import SCENARIOS, WrongAnswer

_QUIET = 1.0  # load average; more than this and other work takes part in every figure


def main() -> int:
    """Run what the command line asks for."""
    options = _options()
    names = tuple(options.targets) if options.what == "compare" else ("lockgate",)
    absent = targets.missing(names)
    for line in absent:
        print(line, file=sys.stderr)
    if absent:
        return 2
    try:
        interpreters = [look(path, targets.environment(path)) for path in options.python]
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"--python: {error}", file=sys.stderr)
        return 2
    print(_machine(interpreters))
    try:
        if options.what == "sessions":
            return _sessions(options)
        cells = [one for one in CELLS if one.name in options.cells]
        with targets.running(names, cells, options.python, options.nginx) as running:
            if options.what == "memory":
                return _memory(running[0], options)
            return _compare(running, interpreters, options)
    except targets.CannotStart as error:
        print(error, file=sys.stderr)
        return 2
    except WrongAnswer as error:
        print(f"a wrong answer ended the run: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    names = [scenario.name for scenario in SCENARIOS]
    cells = [cell.name for cell in CELLS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    what = ["compare", "memory", "sessions"]
    parser.add_argument("what", nargs="?", choices=what, default="compare")
    parser.add_argument(
        "--quick", action="store_true", help="see that it works; figures say little"
    )
    parser.add_argument("--seconds", type=int, default=2, help="length of one run")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved; medians are shown")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--scenarios", nargs="+", choices=names, default=names)
    parser.add_argument("--cells", nargs="+", choices=cells, default=cells, help="client-server")
    parser.add_argument("--targets", nargs="+", choices=targets.NAMES, default=targets.NAMES)
    parser.add_argument("--nginx", choices=targets.BUFFERS, default="plain", help="its buffers")
    parser.add_argument(
        "--python", nargs="+", default=[sys.executable], metavar="PATH", help="what runs Lockgate"
    )
    parser.add_argument("--calls", type=int, default=200_000, help="memory: how many at least")
    parser.add_argument("--limit", type=float, default=180, help="memory: seconds at most")
    parser.add_argument("--held", type=int, default=10_000, help="sessions: how many")
    parser.add_argument("--gets", type=int, default=1_000, help="sessions: with an open GET stream")
    parser.add_argument("--listens", type=int, default=2_000, help="sessions: listen streams")
    parser.add_argument(
        "--server", choices=["modern", "handshake"], default="modern", help="sessions: its era"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds = 1, 1
        options.held, options.gets, options.listens = 200, 20, 40
    return options


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _machine(interpreters: Sequence[Interpreter]) -> str:
    load = os.getloadavg()[0]
    busy = "" if load < _QUIET else ": NOT QUIET, other work is running"
    lines = [f"{platform.platform()}, {os.cpu_count()} CPUs, load average {load:.2f}{busy}"]
    for number, one in enumerate(interpreters, 1):
        lines.append(f"lockgate{f' {number}' if number > 1 else ''}: {one}")
    return "\n".join(lines)


def _compare(
    running: list[targets.Target],
    interpreters: Sequence[Interpreter],
    options: argparse.Namespace,
) -> int:
    plan = measure.Plan(
        scenarios=[one for one in SCENARIOS if one.name in options.scenarios],
        cells=[one for one in CELLS if one.name in options.cells],
        connections=options.connections,
        rounds=options.rounds,
        seconds=options.seconds,
    )
    measured = measure.rounds(running, plan, _say)
    print(
        f"medians of {options.rounds} interleaved rounds of {options.seconds} s; "
        f"load average {os.getloadavg()[0]:.2f} at the end, of which this run is a part\n"
    )
    print(report.table(measured))
    print("\n" + report.bars(measured))
    known = {"interpreters": [asdict(one) for one in interpreters]}
    _write(options.json, {**known, **report.as_json(measured)})
    # One round of one second decides nothing, so nothing is decided by it.
    wrong = any(one.errors for one in measured)
    good = not wrong if options.quick else report.good(measured)
    return 0 if good else 1


def _sessions(options: argparse.Namespace) -> int:
    plan = crowd.Plan(
        sessions=options.held,
        gets=options.gets,
        listens=options.listens,
        server=options.server,
        python=options.python[0],
        seconds=options.seconds,
        idle=1 if options.quick else 20,
        rounds=options.rounds,
        settle=0.2 if options.quick else 1.0,
    )
    found = crowd.run(plan, _say)
    print(found)
    _write(options.json, asdict(found))
    return 0 if found.good else 1


def _memory(target: targets.Target, options: argparse.Namespace) -> int:
    scenarios = [one for one in SCENARIOS if one.name in options.scenarios]
    cells = [one for one in CELLS if one.name in options.cells]
    memory = measure.memory(target, scenarios, cells, options.calls, options.limit, _say)
    word = "flat" if memory.flat else "NOT FLAT"
    print(
        f"{word}: {memory.calls:,} calls, {memory.growth / 2**20:+.1f} MiB after the first cycle "
        f"(at most {report.FLAT_BYTES / 2**20:.0f} MiB; {options.calls:,} calls wanted)"
    )
    points = [{"calls": calls, "rss": size} for calls, size in memory.points]
    _write(options.json, {"points": points, "growth": memory.growth, "flat": memory.flat})
    return 0 if memory.flat else 1


def _write(file: Path | None, what: dict[str, object]) -> None:
    if file is not None:
        file.write_text(json.dumps(what, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
