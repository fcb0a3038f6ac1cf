"""What all storms need."""

from functools import partial

import pytest

from lockgate.gateway import build, subscriptions
from lockgate.upstreams.supervisor import Backoff
from tests.bridge import clients

LONGEST = 1.0


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some streams are silent until a server is back, on a machine that may be busy."""
    monkeypatch.setattr(clients, "SECONDS", 30.0)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses grow with how often a server has failed, up to minutes; storms are done in seconds.

    A gateway that is a process of its own keeps its pauses.
    """
    wait = Backoff.wait

    def shorter(backoff: Backoff, attempt: int) -> float:
        return min(wait(backoff, attempt), LONGEST)

    monkeypatch.setattr(Backoff, "wait", shorter)
    catalog = partial(build.CatalogSettings, retry=LONGEST)
    monkeypatch.setattr(build, "CatalogSettings", catalog)
    monkeypatch.setattr(subscriptions, "RETRY_MOST", LONGEST)
