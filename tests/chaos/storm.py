"""Eight servers, sixty-four clients, a schedule of troubles, and what must hold whatever happens.

Must not know: how the gateway runs; `verdict` judges what clients were told and what servers saw.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lockgate.core.codes import ENTRIES
from tests.chaos.callers import Caller, Load, Told
from tests.chaos.http_server import OWN_ERROR, TroubledServer
from tests.chaos.schedule import CALM, CHILD_TROUBLES, HTTP_TROUBLES, schedule

Json = dict[str, Any]
CHILD = Path(__file__).with_name("child_server.py")
CLIENTS = 64
TIMEOUT = 1.0
"""Seconds a server in trouble may take for a call; what a caller of a hung one waits."""
NOT_SENT = {
    "server-unavailable",
    "breaker-open",
    "server-busy",
    "upstream-busy",
    "crash-looping",
    "list-unread",
    "server-slow",
    "draining",
}
"""Reasons that promise that the server has not seen the call."""
OF_TROUBLE = (NOT_SENT - {"draining"}) | {
    "upstream-timeout",
    "upstream-lost",
    "upstream-session-lost",
    "upstream-http-error",
    "upstream-invalid",
    "upstream-too-large",
}
"""Everything the gateway may say of a server in trouble."""
ENDING = {"draining", "gateway-stopped"}
"""What it may say when it has been told to stop."""
WIDE = 10.0
"""How many times as long a healthy server's calls may take as without the gateway. What is looked
for, a call that waits for another server's, costs hundreds of times as long."""
ENOUGH = 10
"""Calls, at least, whose times are said to have shares."""
UNIT = 0.010
"""Seconds below which times are not compared: that is the loop all of this shares, not a wait."""


class Child:
    """A stdio server, seen from outside its process."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder / name
        self._folder.mkdir()
        (self._folder / "mode").write_text(CALM)
        (self._folder / "runs").touch()

    @property
    def entry(self) -> Json:
        """Its entry in the configuration."""
        words = ["-I", "-S", str(CHILD), self.name, str(self._folder)]
        return {"command": sys.executable, "args": words, "stop_grace": 1}

    @property
    def runs(self) -> Counter[str]:
        """How often each call reached a tool."""
        return Counter((self._folder / "runs").read_text().splitlines())

    async def take_up(self, mode: str) -> None:
        """Do this from now on."""
        new = self._folder / "mode.new"
        new.write_text(mode)
        new.rename(self._folder / "mode")


class Fleet:
    """The eight servers: three that stay well, five that do not; and `more`, which may join."""

    def __init__(self, folder: Path) -> None:
        self.http = [
            TroubledServer("well-modern", "modern"),
            TroubledServer("well-old", "handshake"),
            TroubledServer("wild-modern", "modern"),
            TroubledServer("wild-modern2", "modern"),
            TroubledServer("wild-old", "handshake"),
            TroubledServer("wild-old2", "handshake"),
        ]
        self.children = [Child("well-child", folder), Child("wild-child", folder)]
        self.more = Child("more", folder)
        self.all = {one.name: one for one in (*self.http, *self.children)}
        self.well = sorted(name for name in self.all if name.startswith("well"))

    def entries(self) -> Json:
        """Their part of a configuration."""
        every: Json = {one.name: {"url": one.url} for one in self.http}
        every |= {one.name: one.entry for one in self.children}
        for name, entry in every.items():
            entry["limits"] = {"message_bytes": 200_000}
            entry["tools"] = {"kept": {"cache": {"ttl": 600}}}
            entry["breaker"] = {"rest": "300ms", "longest_rest": "1s", "window": 5}
            if name not in self.well:
                entry |= {"timeout": TIMEOUT, "start_timeout": 2 * TIMEOUT}
        return every

    def troubles(self) -> dict[str, tuple[str, ...]]:
        """What can go wrong with each that does not stay well."""
        wild: dict[str, tuple[str, ...]] = {one.name: HTTP_TROUBLES for one in self.http}
        wild |= {one.name: CHILD_TROUBLES for one in self.children}
        return {name: modes for name, modes in wild.items() if name not in self.well}

    async def play(self, seed: int, seconds: float, *, deaths: bool = True) -> None:
        """Go through the storm of this seed; all are well again at its end."""
        troubles = {
            name: [one for one in modes if deaths or one != "die"]
            for name, modes in self.troubles().items()
        }
        loop = asyncio.get_running_loop()
        began = loop.time()
        for turn in schedule(seed, troubles, seconds):
            await asyncio.sleep(began + turn.at - loop.time())
            await self.all[turn.server].take_up(turn.mode)

    def runs(self) -> Counter[str]:
        """How often each call of each server reached a tool."""
        return Counter(
            {f"{one.name} {k}": v for one in self.all.values() for k, v in one.runs.items()}
        )


@asynccontextmanager
async def fleet(folder: Path) -> AsyncIterator[Fleet]:
    """The servers, listening."""
    made = Fleet(folder)
    for one in made.http:
        await one.start()
    try:
        yield made
    finally:
        for one in made.http:
            await one.stop()


async def callers(port: int, many: int = CLIENTS) -> list[Caller]:
    """Clients of both eras, opened."""
    eras = ("modern", "handshake")
    return [await Caller(number, eras[number % 2], port).open() for number in range(many)]


async def eventually(so: Callable[[], Awaitable[object]], seconds: float, what: str) -> None:
    """Wait until it is so; it fails the test after a minute, or `seconds` if that is more."""
    seconds = max(seconds, 60.0)
    try:
        async with asyncio.timeout(seconds):
            while not await so():  # noqa: ASYNC110 - what is waited for has no event of its own
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None


class Verdict:
    """What clients were told, held against what servers saw."""

    def __init__(
        self, load: Load, fleet: Fleet, interrupted: bool = False, stopped: bool = False
    ) -> None:
        """`interrupted`: the gateway was gone for a while; `stopped`: it was told to stop."""
        self._book = load.book
        self._lists = load.lists
        self._met = load.met
        self._well = set(fleet.well)
        self._runs = fleet.runs()
        self._interrupted = interrupted or stopped
        self._stopped = stopped

    def all(self) -> None:
        """Everything that holds in every storm."""
        nonces = Counter(one.nonce for one in self._book)
        assert nonces.most_common(1)[0][1] == 1
        for told in self._book:
            getattr(self, "_" + told.kind)(told)
        self._no_tool_ran_twice()
        if not self._interrupted:
            assert not self._met["gone"], "the gateway closed a connection on a client"
        for _, _, names in self._lists:
            missing = {f"{name}__act" for name in self._well} - names
            assert not missing, f"a list lacks {missing}"

    def _result(self, told: Told) -> None:
        said = told.body["structuredContent"]
        expected = {"server": told.server, "tool": told.tool, "nonce": told.nonce}
        assert said == expected, f"{expected} was answered {said}"
        assert self._ran(told) >= 1

    def _error(self, told: Told) -> None:
        ending = self._stopped and told.reason in ENDING
        assert ending or told.server not in self._well, f"a healthy server's call failed: {told}"
        if told.body["code"] == OWN_ERROR:
            assert told.body == {
                "code": OWN_ERROR,
                "message": "no, on purpose",
                "data": {"nonce": told.nonce},
            }
            return
        assert ending or told.reason in OF_TROUBLE, told
        assert str(told.data.get("code")).startswith("LG-"), told
        assert told.data["code"] == ENTRIES[told.reason].code, told
        assert told.data.get("remedy"), told
        unsent = told.reason in NOT_SENT or told.data.get("sent") is False
        if unsent and told.tool == "act":
            assert not self._ran(told), f"not sent, it says, and yet it ran: {told}"

    def _left(self, told: Told) -> None:
        """Whoever hangs up is owed nothing, but that it does not run twice."""

    def _lost(self, told: Told) -> None:
        assert self._interrupted, f"no answer: {told}"
        # Who stops in good order has taken nothing that it does not answer.
        assert not (self._stopped and self._ran(told)), f"it ran, and was not answered: {told}"

    def _ran(self, told: Told) -> int:
        return self._runs[f"{told.server} {told.nonce}"]

    def _no_tool_ran_twice(self) -> None:
        acts = [one for one in self._book if one.tool == "act"]
        twice = [one for one in acts if self._ran(one) > 1]
        assert not twice, f"ran more than once: {twice}"

    def healthy_are_not_slower(self, direct: list[float]) -> None:
        """Calls of healthy servers take, in a storm, what the servers take without the gateway.

        `direct` is how long calls took that clients made past the gateway, at the same time and in
        the same event loop. No clock is looked at for its own sake: what everything here shares,
        the machine and its other work, is on both sides. Shares of both are compared with each
        other, for each server and era up to three in four, and of all together up to 95 in a
        hundred: a call that waits for a hung server's takes hundreds of times as long as it would,
        so one in twenty that does is found; what the machine does to the slowest few is not held
        against the gateway. For each server nine in ten have to end before a call of a hung one,
        unless the servers themselves, without the gateway, are as slow as that.
        """
        past = sorted(direct)
        hung = max(TIMEOUT, WIDE * _share(past, 0.9))
        every: list[float] = []
        for server in sorted(self._well):
            mine = [one for one in self._book if one.server == server and one.kind == "result"]
            for parity in (0, 1):
                took = sorted(x.seconds for x in mine if int(x.nonce.split("-")[0]) % 2 == parity)
                every += took
                if len(took) < ENOUGH:
                    continue  # a slow machine; they count among all of them
                assert _share(took, 0.9) < hung, (server, parity, took[-10:])
                for share in (0.5, 0.75):
                    limit = WIDE * max(_share(past, share), UNIT)
                    assert _share(took, share) <= limit, (server, parity, share, limit, took[-10:])
        limit = WIDE * max(_share(past, 0.95), UNIT)
        assert len(every) >= ENOUGH
        assert _share(sorted(every), 0.95) <= limit, (limit, sorted(every)[-20:])

    def summary(self) -> str:
        """For people who look into it."""
        kinds = Counter(one.kind if one.kind != "error" else one.reason for one in self._book)
        well = sorted(one.seconds for one in self._book if one.server in self._well)
        cuts = [round(well[int(len(well) * share)] * 1e3, 1) for share in (0.5, 0.9, 0.99, 0.9999)]
        return f"{len(self._book)} calls: {dict(kinds.most_common())}; healthy ms {cuts}"


def _share(took: list[float], share: float) -> float:
    """What so large a share of these sorted times stays below."""
    return took[int(len(took) * share)]
