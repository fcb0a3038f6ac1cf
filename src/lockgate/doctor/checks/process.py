"""A server that is started: its sandbox, its command, its start, its output, its end.

Must not know: what is asked of it in between.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from lockgate.core.legible import shortened, visible
from lockgate.doctor.checks import era
from lockgate.doctor.checks.clues import clue, serves_http
from lockgate.doctor.stdio import Process, StdioVoice, starting
from lockgate.doctor.visit import StdioSubject, Visit
from lockgate.upstreams.environment import child_environment
from lockgate.upstreams.launch import SpawnFailed, resolve

_FRAMING: Final = b"content-length:"
_SHOWN: Final = 3
_SIGKILL: Final = "it was ended by signal 9"
_SIGTERM: Final = "it was ended by signal 15"


def sandbox(visit: Visit, subject: StdioSubject) -> None:
    """What the configuration asks for, and what of it is missing here."""
    if not subject.sandbox:
        visit.saw("none is asked for")
        return
    visit.saw(subject.sandbox)
    if subject.lacks:
        visit.find("sandbox-lacking", "; ".join(subject.lacks))


def command(visit: Visit, subject: StdioSubject, environ: dict[str, str]) -> None:
    """Whether it can be started."""
    try:
        path = resolve(subject.spec, child_environment(subject.spec.env, environ))
    except SpawnFailed as error:
        visit.find("command-missing", f"{error.what} ({error.remedy.rstrip('.')})")
        visit.bar("the command cannot be started")
        return
    visit.saw(path)


async def start(visit: Visit, subject: StdioSubject) -> list[Process]:
    """Start it and find out what it speaks: a process for each era, so that none disturbs another.

    Returns every process that was started, to be ended.
    """
    first = Process(visit, starting(subject))
    try:
        await first.start()
    except SpawnFailed as error:
        visit.find("command-missing", str(error))
        visit.bar("the command cannot be started")
        return []
    began = perf_counter()
    voice = StdioVoice(visit, first, "modern")
    heard = await voice.ask("server/discover", within=visit.patience.start)
    if heard.response is None and heard.trouble is not None and first.ended is not None:
        # Some servers end at a request before initialize, so they get a second chance.
        return await _second(visit, subject, [first])
    visit.reached = heard.response is not None
    if visit.reached:
        visit.saw(f"answered after {perf_counter() - began:.1f} s")
    if era.discovered(visit, heard, voice):
        return await _other_era(visit, subject, first)
    return await _handshake(visit, first, [first])


async def _second(visit: Visit, subject: StdioSubject, started: list[Process]) -> list[Process]:
    process = Process(visit, starting(subject))
    started.append(process)
    try:
        await process.start()
    except SpawnFailed:
        return _dead(visit, started, started[0])
    done = await _handshake(visit, process, started)
    if visit.voices:
        visit.find("start-fragile", f"{started[0].ended}; it said: {_last(started[0])}")
    return done


async def _handshake(visit: Visit, process: Process, started: list[Process]) -> list[Process]:
    voice = StdioVoice(visit, process, "handshake")
    heard = await era.initialize(visit, voice)
    if heard.result is not None:
        await era.initialized(visit, voice)
    elif heard.trouble is not None:
        return _dead(visit, started, process)
    visit.reached = True
    return started


async def _other_era(visit: Visit, subject: StdioSubject, first: Process) -> list[Process]:
    """A process that speaks 2026-07-28 may speak the others too."""
    process = Process(visit, starting(subject))
    try:
        await process.start()
    except SpawnFailed:
        return [first]
    voice = StdioVoice(visit, process, "handshake")
    heard = await era.initialize(visit, voice)
    if heard.result is not None:
        await era.initialized(visit, voice)
    return [first, process]


def _dead(visit: Visit, started: list[Process], process: Process) -> list[Process]:
    """It does not answer: say why, as far as its last words tell."""
    words = process.child.last_words
    noise = b"\n".join(process.noise).decode("utf-8", "replace")
    said = shortened(visible(words or noise or "nothing"), 300)
    place = serves_http(f"{words}\n{noise}")
    if place is not None and process.ended is None:
        visit.find("start-http", f"it says that it serves {place}")
    elif process.ended is not None:
        visit.find(clue(f"{words}\n{noise}") or "start-ended", f"{process.ended}; it said: {said}")
    else:
        patience = visit.patience
        waited = patience.start + patience.answer
        visit.find("start-silent", f"nothing for {waited:.0f} s; it said: {said}")
    visit.bar("it does not answer")
    return started


def stdout(visit: Visit, started: list[Process]) -> None:
    """What was on standard output beside messages."""
    noise = [line for process in started for line in process.noise]
    lines = sum(process.lines for process in started)
    if not noise:
        visit.saw(f"{lines} lines, all of them messages" if lines else "nothing was written")
        return
    framing = any(line.lower().lstrip().startswith(_FRAMING) for line in noise)
    broken = sum(line.strip() in (b"{", b"}", b"},", b"]") for line in noise) > 1
    shown = "; ".join(
        repr(shortened(visible(line.decode("utf-8", "replace")), 80)) for line in noise[:_SHOWN]
    )
    visit.find("stdout-framing" if framing or broken else "stdout-noise", shown)
    visit.saw(f"{len(noise)} of {lines} lines are no messages")


def stderr(visit: Visit, started: list[Process]) -> None:
    """The last words of whoever spoke first, which are nobody's fault by themselves."""
    words = next((one.child.last_words for one in started if one.child.last_words), "")
    visit.saw(shortened(visible(words), 300) if words else "nothing was written")


async def leave(visit: Visit, started: list[Process]) -> None:
    """Close the input of those that still run, and see them go."""
    running = [one for one in started if one.ended is None]
    used = [one.process for one in visit.voices.values() if isinstance(one, StdioVoice)]
    for one in used:
        if one.ended is not None:
            visit.find("exit-early", f"{one.ended}; it said: {_last(one)}")
    if not running:
        visit.saw("it had ended before")
        return
    grace = visit.patience.leave
    took = await asyncio.gather(*(one.leave(grace) for one in running))
    for one in running:
        if one.ended == _SIGKILL:
            visit.find("exit-killed", f"killed after {grace:g} s")
        elif max(took) >= grace / 2 or one.ended == _SIGTERM:
            visit.find("exit-stays", f"ended by SIGTERM after {grace / 2:g} s")
        elif one.ended and "with code" in one.ended and not one.ended.endswith(" 0"):
            visit.find("exit-code", f"{one.ended}; it said: {_last(one)}")
    visit.saw(f"gone {max(took):.2f} s after its input was closed")


def _last(process: Process) -> str:
    return shortened(visible(process.child.last_words or "nothing"), 200)
