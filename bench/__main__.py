"""`python -m bench`: direct, nginx and Lockgate side by side. `python -m bench memory`: leaks.

Exit status: 0 good; 1 a bar was missed or an answer was wrong; 2 nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from bench import measure, report, targets
from bench.messages import ERAS, SCENARIOS, WrongAnswer


def main() -> int:
    """Run what the command line asks for."""
    options = _options()
    names = ("lockgate",) if options.what == "memory" else tuple(options.targets)
    absent = targets.missing(names)
    for line in absent:
        print(line, file=sys.stderr)
    if absent:
        return 2
    try:
        with targets.running(names, options.nginx) as running:
            if options.what == "memory":
                return _memory(running[0], options)
            return _compare(running, options)
    except targets.CannotStart as error:
        print(error, file=sys.stderr)
        return 2
    except WrongAnswer as error:
        print(f"a wrong answer ended the run: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["compare", "memory"], default="compare")
    parser.add_argument("--seconds", type=int, default=3, help="length of one run")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved; medians are shown")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--scenarios", nargs="+", choices=names, default=names)
    parser.add_argument("--eras", nargs="+", choices=ERAS, default=list(ERAS))
    parser.add_argument("--targets", nargs="+", choices=targets.NAMES, default=targets.NAMES)
    parser.add_argument("--nginx", choices=targets.BUFFERS, default="plain", help="its buffers")
    parser.add_argument("--calls", type=int, default=200_000, help="memory: how many at least")
    parser.add_argument("--limit", type=float, default=180, help="memory: seconds at most")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _compare(running: list[targets.Target], options: argparse.Namespace) -> int:
    plan = measure.Plan(
        scenarios=[one for one in SCENARIOS if one.name in options.scenarios],
        eras=options.eras,
        connections=options.connections,
        rounds=options.rounds,
        seconds=options.seconds,
    )
    measured = measure.rounds(running, plan, _say)
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    print(f"medians of {options.rounds} rounds of {options.seconds} s\n")
    print(report.table(measured))
    print("\n" + report.bars(measured))
    _write(options.json, report.as_json(measured))
    return 0 if report.good(measured) else 1


def _memory(target: targets.Target, options: argparse.Namespace) -> int:
    scenarios = [one for one in SCENARIOS if one.name in options.scenarios]
    memory = measure.memory(target, scenarios, options.eras, options.calls, options.limit, _say)
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
