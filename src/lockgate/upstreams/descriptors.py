"""How many files this process may have open: more than most systems allow unasked.

Must not know: what the descriptors are for.

Every connection is one. Systems set the soft limit low, often 1024, because of programs that use
`select` or walk all possible descriptors; a program that does neither is meant to raise it to the
hard one. Children may be such programs, so they get back what this process was started with.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

MOST: Final = 65_536
"""Where raising ends: room for every connection the defaults allow on both sides, and more than a
process should have by mistake."""

_original: tuple[int, int] | None = None


def raise_limit(most: int = MOST) -> int | None:
    """Raise the soft limit to the hard one, to `most` at the most; never lowers it.

    Returns the soft limit that holds now; None where there is none.
    """
    global _original  # noqa: PLW0603 - the limit is the process's, and so is what it was before
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - absent on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS allows less than its hard limit says
        return soft
    if _original is None:
        _original = soft, hard
    return wanted


def restorer(most: int | None = None) -> Callable[[], None] | None:
    """What a child has to run before its program to have its own limit on open files.

    most  what it may have; None: what this process was started with.

    None when there is nothing to do. It does one system call and takes no lock, so that running it
    between fork and exec is safe whatever other threads were doing.
    """
    if sys.platform == "win32" or (_original is None and most is None):
        return None
    import resource  # noqa: PLC0415 - absent on Windows

    set_limit, kind = resource.setrlimit, resource.RLIMIT_NOFILE
    soft, hard = _original or resource.getrlimit(kind)
    if most is not None:
        # Programs may raise their soft limit to the hard one, and some always do.
        soft = hard = most if hard == resource.RLIM_INFINITY else min(most, hard)
    wanted = soft, hard

    def restore() -> None:
        set_limit(kind, wanted)

    return restore
