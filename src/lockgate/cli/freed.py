"""What becomes of memory that is freed: some of it is kept for the next call.

Must not know: calls, or what the memory is for.

The allocator of glibc gives the end of its heap back to the system as soon as 128 KiB there are
free. A gateway that carries a large result takes and frees a few times its size with every call, so
each call would give back what the next one asks for, and the kernel clear every page of it anew: of
the time a result of 256 KiB takes, that was a fifth (`docs/why/large-results.md`).
"""

from __future__ import annotations

import sys
from typing import Final

KEPT: Final = 16 << 20
"""Bytes free at the end of the heap before they are given back: what some 30 large results that are
being sent take."""
APART: Final = 4 << 20
"""What is larger is taken from the system by itself, and given back by itself."""
_TRIM_THRESHOLD: Final = -1  # <malloc.h>
_MMAP_THRESHOLD: Final = -3


def keep_freed() -> bool:
    """Keep some of what is freed; whether there is an allocator that can be told so (glibc's)."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - absent from some builds, and needed here alone

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, KEPT)) and bool(mallopt(_MMAP_THRESHOLD, APART))
