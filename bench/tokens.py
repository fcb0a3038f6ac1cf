"""What a model receives of a large result: `python -m bench.tokens [--show]`.

The guides say that results as resources save 98 % of the window for a result of 50 KB. Three such
results, made here, go through `lockgate.kit.results` as a server's author would use it. Counted is
all that a model may be shown, with the tokenizer of o200k_base: the text blocks, and the JSON of
the link. Whoever then reads on pays for it, so what a page and a search cost is told as well, and
what is left of the saving. `--show` prints what the model receives, word by word.

Must not know: how previews are made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lockgate.context.tokens import counter
from lockgate.kit.results import Results

SIZE: Final = 50 * 1024
CLAIM: Final = 98.0
"""Per cent, by the guides."""


class Saving(msgspec.Struct, frozen=True):
    """Of one result, in tokens.

    whole      the result as it is.
    shown      what the model receives in its place.
    searched   that, and the one place it then looks for.
    read       that, and a quarter of the result, read on in pages.
    received   the words of it.
    """

    whole: int
    shown: int
    searched: int
    read: int
    received: str

    def saved(self, tokens: int) -> float:
        """Per cent of the whole that are not spent."""
        return (1 - tokens / self.whole) * 100


def rows() -> list[dict[str, Any]]:
    """A table, as databases answer."""
    found: list[dict[str, Any]] = []
    while len(json.dumps(found)) < SIZE:
        number = len(found)
        found.append(
            {
                "id": 1000 + number,
                "customer": f"customer {number * 7919 % 997}",
                "total": number * 31 % 4007 / 10,
                "state": ("paid", "open", "late")[number % 3],
            }
        )
    return found


def log() -> str:
    """Lines, as programs write them."""
    lines: list[str] = []
    while sum(map(len, lines)) < SIZE:
        number = len(lines)
        level = "ERROR" if number == 300 else "INFO"
        lines.append(
            f"2026-11-21T10:{number // 60 % 60:02}:{number % 60:02}Z {level} worker-{number % 8} "
            f"took job {number * 104729 % 65537} from the queue in {number % 97} ms\n"
        )
    return "".join(lines)


def page() -> str:
    """Prose under headings, as pages are."""
    text = ""
    while len(text) < SIZE:
        number = text.count("## ") + 1
        text += f"## Part {number}\n\n" + " ".join(
            f"Sentence {one} of part {number} says what {one * number % 89} is about."
            for one in range(1, 20)
        )
        text += "\n\n"
    return text


async def measured(value: Any, name: str, sought: str) -> Saving:
    """What one result costs; `sought` stands somewhere in it."""
    count = counter()
    results = Results()
    fitted = await results.fit(value, name=name)
    received = "\n".join(_written(one) for one in fitted.content)
    whole = value if isinstance(value, str) else json.dumps(value)
    shown = count(received)
    handle = fitted.id
    assert handle is not None, "it was to be too long"
    found = await results.read(handle, grep=sought, limit=1000)
    assert sought in found.text
    read, offset, part = 0, 0, 0
    while part < len(whole) / 4:
        one = await results.read(handle, offset=offset)
        read += count(one.headline()) + count(one.text)
        part += len(one.text)
        offset = one.next or 0
    searched = shown + count(found.headline()) + count(found.text)
    return Saving(count(whole), shown, searched, shown + read, received)


def _written(block: Any) -> str:
    """A block as a model may be shown it."""
    plain: Mapping[str, Any] = block if isinstance(block, dict) else msgspec.to_builtins(block)
    return str(plain["text"]) if plain.get("type") == "text" else json.dumps(plain)


async def all_of_them() -> dict[str, Saving]:
    """Each result by its name."""
    return {
        "table": await measured(rows(), "orders", "customer 53"),
        "log": await measured(log(), "worker log", "ERROR"),
        "page": await measured(page(), "handbook", "part 17 "),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.tokens", description=__doc__)
    parser.add_argument("--show", action="store_true", help="print what the model receives")
    show: bool = parser.parse_args().show
    found = asyncio.run(all_of_them())
    print(f"results of {SIZE // 1024} KB, o200k_base tokens; the guides claim {CLAIM:.0f} % less")
    print(f"{'':8}{'whole':>8}{'shown':>8}{'saved':>8}{'searched':>10}{'saved':>8}", end="")
    print(f"{'a quarter read':>16}{'saved':>8}")
    for name, one in found.items():
        print(f"{name:8}{one.whole:8,}{one.shown:8,}{one.saved(one.shown):7.1f}%", end="")
        print(f"{one.searched:10,}{one.saved(one.searched):7.1f}%", end="")
        print(f"{one.read:16,}{one.saved(one.read):7.1f}%")
    if show:
        for name, one in found.items():
            print(f"\n---- {name}: what the model receives\n{one.received}")


if __name__ == "__main__":
    main()
