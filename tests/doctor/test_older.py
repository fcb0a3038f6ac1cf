"""Servers that speak HTTP+SSE of 2024-11-05 are looked at over that."""

from __future__ import annotations

import asyncio

from lockgate.doctor.report import Report
from lockgate.doctor.run import examine
from lockgate.doctor.visit import HttpSubject
from tests.doctor.defects import plain
from tests.doctor.looking import PATIENT, found_in
from tests.doctor.patient import EVENTS, HANDSHAKES, Answer, Asked, Patient, event


class Older(Patient):
    """Answers on the stream that a GET has begun, whatever it is asked by POST elsewhere."""

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/mcp":
            if asked.verb != "GET":
                return Answer(405)
            place = f"event: endpoint\ndata: /messages?stream={len(self.streams)}\n\n"
            return Answer(200, dict(EVENTS), place.encode(), held=True)
        if not asked.modern and asked.id is not None:
            self.sessions.add("s")
            known = {**asked.headers, "mcp-session-id": "s", "mcp-protocol-version": HANDSHAKES[0]}
            told = self._handshake(Asked(**{**vars(asked), "headers": known}))
            stream = self.streams[int(asked.path.partition("=")[2])]
            stream.write(event(plain(told).body))
        return Answer(202)


def test_they_are_healthy_but_old() -> None:
    async def run() -> Report:
        async with Older().serve() as url:
            return await examine(HttpSubject(name="older", url=url), patience=PATIENT)

    report = asyncio.run(run())
    assert {one.id for one in found_in(report)} == {"sse-transport", "handshake-only"}
    assert report.outcome == "healthy"
    skipped = {one.id for one in report.steps if one.status == "skipped"}
    assert skipped == {"sessions", "streaming", "headers", "origin"}
    assert "tools/call now" in next(one.saw for one in report.steps if one.id == "call")
