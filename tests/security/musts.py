"""What specifications and best practices demand (`musts.toml`), and the mark of tests that hold it.

A test names what it holds with ``@must``. ``test_musts`` fails when a demand has no test, or when a
test names none there is.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.security.marking import Held


@dataclass(frozen=True)
class Must:
    """One demand.

    role    who has to: server (we toward clients), client (we toward servers and issuers),
            authorization (we as an authorization server), proxy (we between others).
    text    what, in words of our own.
    source  where it is said.
    """

    id: str
    role: str
    text: str
    source: str


MUSTS = {
    name: Must(name, **entry)
    for name, entry in tomllib.loads(
        Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    ).items()
}
must = Held("must", MUSTS)
"""The mark of a test that holds demands of the table."""
