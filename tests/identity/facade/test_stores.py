"""What was granted holds in every store alike, among all who share it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockgate.core.store import Store
from lockgate.identity.facade.web import Answer
from lockgate.stores.memory import MemoryStore
from lockgate.stores.redis import RedisStore
from lockgate.stores.sqlite import SqliteStore
from tests.identity.facade.desk import WEB, Desk, desk
from tests.support.valkey import valkey


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Store]:
    if kind == "memory":
        yield MemoryStore()
    elif kind == "sqlite":
        yield SqliteStore(folder / "store.db")
    else:
        with valkey() as server:
            yield RedisStore(server.url)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with opened(request.param, tmp_path) as store, desk(store=store) as one:
        yield one
        one.runner.run(store.close())


def test_a_login_lives_and_ends(at: Desk) -> None:
    app = at.client()
    code = app.code()
    first = app.redeem(code).json
    at.again()
    second = app.refresh(first["refresh_token"]).json
    assert app.refresh(first["refresh_token"]).code == "LG-483"
    assert app.refresh(second["refresh_token"]).code == "LG-482"
    other = app.tokens()
    assert at.post("/revoke", {"client_id": app.id, "token": other["refresh_token"]}).status == 200
    assert app.refresh(other["refresh_token"]).code == "LG-482"


def test_a_code_is_redeemed_by_one_of_many_at_once(at: Desk) -> None:
    app = at.client()
    code = app.code()
    asked = app.asked(code)

    async def all_at_once() -> list[Answer]:
        serve = at.facade.paths()["/token"]
        answers = await asyncio.gather(*(serve(asked) for _ in range(8)))
        return sorted(answers, key=lambda one: one.status)

    won, *lost = at.runner.run(all_at_once())
    assert [won.status, *(one.status for one in lost)] == [200] + [400] * 7
    # One of the two who have the code is not the client, whoever was first.
    assert app.refresh(json.loads(won.body)["refresh_token"]).code == "LG-482"


def test_a_consent_is_remembered(at: Desk) -> None:
    app, browser = at.client(), at.browser()
    app.redirect = WEB
    browser.log_in(browser.allow(browser.get("/authorize", app.wish()), remember="yes"))
    at.again()
    assert browser.get("/authorize", app.wish()).status == 302
