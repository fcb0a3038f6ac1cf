"""What a server calls public is shared among callers it was shown the same credentials for."""

from __future__ import annotations

import pytest

from lockgate.stores.tiered import Tiered
from tests.policies.test_cache import World, read, run

PUBLIC = {"ttlMs": 10_000, "cacheScope": "public"}


@pytest.mark.parametrize("hints", [PUBLIC, {"ttlMs": 10_000}], ids=["public", "private"])
def test_callers_with_other_credentials_never_share(hints: dict[str, object]) -> None:
    async def test(w: World) -> None:
        teams = {"ann": "red", "bob": "blue", "cy": "red"}
        w.cache.__init__(
            "s",
            Tiered(w.store, clock=w.clock),
            w.clock,
            partition=lambda principal: teams[principal.id],
        )
        ann = await w.n(read(who="ann"))
        assert await w.n(read(who="ann")) == ann
        assert await w.n(read(who="bob")) != ann
        assert (await w.n(read(who="cy")) == ann) == (hints is PUBLIC)

    run(test, hints=hints)
