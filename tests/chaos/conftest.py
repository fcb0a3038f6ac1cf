"""What all storms need."""

import pytest

from tests.bridge import clients


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some streams are silent until a server is back, on a machine that may be busy."""
    monkeypatch.setattr(clients, "SECONDS", 30.0)
