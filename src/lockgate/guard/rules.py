"""What is to be done about what servers say, as data.

Must not know: how anything is found, or where rules come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from lockgate.core.match import ByTool
from lockgate.guard.seen import Filter


class ResultRules(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about what servers say.

    filters     what is looked for.
    failing     what is looked for in errors besides.
    html        makes HTML harmless; None: HTML is text like any other.
    html_tools  tools whose texts are HTML though nothing says so.
    borders     whether texts get borders.
    """

    filters: Sequence[Filter] = ()
    failing: Sequence[Filter] = ()
    html: Callable[[str], str] | None = None
    html_tools: ByTool[bool] = ByTool((), False)
    borders: bool = False
