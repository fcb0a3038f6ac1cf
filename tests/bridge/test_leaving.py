"""Who stops a call, who only goes away, and what the server and others learn of it."""

from __future__ import annotations

import asyncio

from tests.bridge.clients import ANSWERS, Begun, Client
from tests.bridge.requirements import requirement
from tests.bridge.scripts import ELICIT, URI
from tests.bridge.world import World, cell_world, run
from tests.support.waiting import until


async def waiting(w: World, client: Client, gate: str = "g") -> Begun:
    """A call that is at a gate of its tool."""
    begun = Begun("tools/call", {"name": "wait", "arguments": {"gate": gate}})
    w.stack_task(client.send(begun))
    await w.server.happened(f"at {gate}")
    return begun


@requirement("cancel")
def test_a_cancelled_call_is_cancelled_at_the_server(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            begun = await waiting(w, client)
            await client.cancel(begun)

            await w.server.happened("cancelled g")
            done = await client.run("echo", text="still here")
            assert done.said == {"text": "still here"}

    run(play())


@requirement("cancel")
def test_cancelling_one_call_leaves_the_others(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            one, other = await w.client(cell[0]), await w.client(cell[0], name="other")
            stays = w.stack_task(other.call("wait", gate="stay"))
            await w.server.happened("at stay")
            begun = await waiting(w, one)
            await one.cancel(begun)
            await w.server.happened("cancelled g")
            w.server.let("stay")

            assert (await stays).said == {"tag": "stay"}
            assert not w.server.said["cancelled stay"].is_set()

    run(play())


@requirement("cancel-asked")
def test_a_call_cancelled_while_its_client_is_asked(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            begun = await client.call("ask", rounds=[{"a": ELICIT}])
            await client.cancel(begun)

            await w.server.happened("told to cancel")

    run(play())


@requirement("vanish-not-cancel")
def test_a_broken_connection_of_an_old_client_cancels_nothing(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            begun = await waiting(w, client)
            assert begun.stream is not None
            begun.stream.close()
            done = await client.run("echo", text="x")  # time for the break to be noticed
            assert done.said == {"text": "x"}
            await asyncio.sleep(0.4)  # longer than a half-closed connection is given

            assert not w.server.said["cancelled g"].is_set()
            w.server.let("g")

    run(play())


@requirement("vanish-cleanup")
def test_a_client_that_vanishes_while_it_is_asked(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            await client.call("ask", rounds=[{"a": ELICIT}])
            client.close()
            other = await w.client(cell[0], name="other")
            done = await other.run("ask", rounds=[{"b": ELICIT}])

            assert done.said["answers"] == [{"b": ANSWERS[ELICIT[0]]}]

    run(play())


@requirement("vanish-cleanup", cells="LL LM")
def test_a_session_that_is_ended_ends_its_calls(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            await waiting(w, client)
            stream = await client.exchange("DELETE", b"", {})
            assert stream.status in (200, 202, 204)

            await w.server.happened("cancelled g")

    run(play())


@requirement("vanish-listening")
def test_who_goes_away_is_no_longer_listened_for(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            stream = await client.listen(uris=(URI,))
            await w.server.happened(f"resources/subscribe {URI}")
            stream.close()
            if cell[0] == "L":
                await client.exchange("DELETE", b"", {})

            if cell[1] == "M":
                server = w.server
                await until(lambda: not any(URI in str(one[1]) for one in server.listens))
            else:
                sessions = w.server.sessions
                await until(lambda: not any(URI in one.uris for one in sessions.values()))

    run(play())
