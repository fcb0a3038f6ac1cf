"""The security controls of a gateway (`controls.toml`), and the mark of tests that show them.

A test names what it shows with ``@holds``. ``test_controls`` fails when a control has no test, or
names a file that does not exist.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.security.marking import Held
from tests.security.musts import must


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One promise.

    about     what it protects from, in a few words.
    promise   what holds, in words of our own.
    enforced  the files that keep it, below `src/lockgate`.
    musts     the demands of `musts.toml` it is made of; their tests are its own.
    open      what of it does not hold yet; then it may have no test.
    """

    about: str
    promise: str
    enforced: tuple[str, ...] = ()
    musts: tuple[str, ...] = ()
    open: str = ""


CONTROLS = msgspec.toml.decode(
    Path(__file__).with_suffix(".toml").read_bytes(), type=dict[int, Control], strict=False
)
holds = Held("holds", CONTROLS)
"""The mark of a test that shows controls of the table."""


def shown(number: int) -> set[str]:
    """The tests that show a control, its own and those of its demands."""
    return holds.by(number).union(*(must.by(one) for one in CONTROLS[number].musts))
