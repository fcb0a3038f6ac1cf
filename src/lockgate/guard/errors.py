"""What a server's error says about where it runs: addresses, paths and the program's own insides.

Must not know: who failed, or why. An error that quotes what it could not reach answers a question
about the network behind the server (an oracle for forged requests); one that quotes its program
helps whoever looks for a weakness. Nothing of it helps whoever made the call. Time is linear.
"""

from __future__ import annotations

import re
from typing import Final

_trace: Final = re.compile(
    r"Traceback \(most recent call last\):\n(?:[ \t][^\n]{0,1000}\n?){1,400}(?:[^\n]{0,1000})"
    r"|(?:\n[ \t]{1,16}at [^\n]{1,500}){2,400}"
    r"|(?:\n[ \t]{0,16}(?:File \"|from /|goroutine |/)[^\n]{1,500}){2,400}"
)
_url: Final = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>()\[\]{}]{1,2000}")
_address: Final = re.compile(
    r"(?<![\w.:-])(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?(?![\w.])"
    r"|\[?(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}\]?(?::\d{1,5})?(?![\w:])"
    r"|\b(?:localhost|[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,6}\.(?:local|internal|lan|svc|cluster))"
    r"(?::\d{1,5})?\b"
)
_path: Final = re.compile(
    r"(?<![\w:/.])/(?:home|root|usr|var|opt|srv|etc|app|tmp|Users|private|mnt|proc|workspace)"
    r"(?:/[\w.@+-]{1,255}){1,30}"
)
_PARTS: Final = (
    (_trace, "stack-trace", "\n[stack trace left out]"),
    (_url, "url", "[address left out]"),
    (_address, "address", "[address left out]"),
    (_path, "path", "[path left out]"),
)


def cleaned(text: str) -> tuple[str, list[str]]:
    """The text without what is found, and the kinds found; the very same if none."""
    kinds: list[str] = []
    for pattern, kind, instead in _PARTS:
        clean, times = pattern.subn(instead, text)
        if times:
            kinds.append(kind)
            text = clean
    return text, kinds
