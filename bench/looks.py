"""What the look into results costs, by what is in them: `python -m bench.looks`.

Must not know: sockets, gateways. Each result has a text of 256 KiB. Processor time of one thread,
the lowest of many rounds, since on a machine that does other things as well only the lowest says
something of the code. The look that clears a result is all that most results cost; what it does not
clear is read string by string.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Mapping
from time import perf_counter, thread_time
from typing import Final

from bench.origin import BIG, big_text
from lockgate.build import kind
from lockgate.core.raw import Raw
from lockgate.guard.content import Inspector
from lockgate.guard.filters import Characters, Injection, Secrets

SECONDS: Final = 0.5
_DRAWN: Final = random.Random(7)  # noqa: S311 - what results are made of


def texts() -> Mapping[str, str]:
    """What is looked into."""
    rows = "".join(
        f'<tr class="r{n}"><td>Item {n}</td><td>{n * 7}</td></tr>\n' for n in range(9000)
    )
    drawn = _DRAWN.randbytes(BIG)
    return {
        "lines of prose": big_text(),
        "prose with accents": ("Un résumé — “cité”, à peine plus long que lui-même.\n" * BIG)[:BIG],
        "HTML": rows,
        "hexadecimal": drawn.hex(),
        "Base64": base64.b64encode(drawn).decode(),
        "a password near its end": big_text()[:-40] + ' password="x9Kd82mQpL0vTz7R" ',
        "nothing but `://`": "://" * BIG,
    }


def lowest(work: Callable[[], object]) -> float:
    """Microseconds of processor time."""
    best, until = 1.0, perf_counter() + SECONDS
    while perf_counter() < until:
        before = thread_time()
        work()
        best = min(best, thread_time() - before)
    return best * 1e6


def main() -> None:
    """Measure and print."""
    inspector = Inspector((Characters("redact"), Secrets("redact"), Injection("flag")), '"iserror"')
    print(f"lockgate    {kind()}")
    print(f"{'256 KiB of':26}{'first look':>12}{'all of it':>12}  found")
    for name, text in texts().items():
        item = {"type": "text", "text": text[:BIG]}
        data = json.dumps({"content": [item]}, ensure_ascii=False).encode()
        look = lowest(lambda data=data: inspector.suspects(data))
        whole, seen = look, "nothing"
        if inspector.suspects(data):
            whole += lowest(lambda data=data: inspector.inspect_members(Raw(data)))
            found = inspector.inspect_members(Raw(data))[1]
            seen = ", ".join(one.kind for one in found) or "nothing, after a closer look"
        print(f"{name:26}{look:9.0f} us{whole:9.0f} us  {seen}", flush=True)


if __name__ == "__main__":
    main()
