"""The part of the table of errors that is about finding tools; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import LATER, NEVER, NO, Entry, command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
SEARCH: Final = (
    Entry(520, "embedder-failed", "environment", NEVER, NEVER, NEVER, LATER,
          "The model that runs in the gateway cannot embed; tools are found by words alone.",
          "Install lockgate[semantic] anew; it is tried again by itself."),
    Entry(521, "embedder-unreachable", "environment", NEVER, NEVER, NEVER, LATER,
          "The embedder gave no answer, or none in time; tools are found by words alone.",
          "See that it runs and can be reached from the gateway; it is tried again by itself."),
    Entry(522, "embedder-forbidden", "configuration", NEVER, NEVER, NEVER, NO,
          "The embedder's name leads to an address that may not be reached; nothing was sent.",
          "If it is inside of your own network, say reach: any in lockgate.search.embedder."),
    Entry(523, "embedder-refused", "configuration", NEVER, NEVER, NEVER, NO,
          "The embedder does not do what it is asked; tools are found by words alone.",
          "Correct url, shape, model, key, batch or longest in lockgate.search.embedder."),
    Entry(524, "embedder-overloaded", "environment", NEVER, NEVER, NEVER, LATER,
          "The embedder says that it cannot answer now; tools are found by words alone.",
          "Give it time, or lower batch and at_once in lockgate.search.embedder."),
    Entry(525, "embedder-broken", "environment", NEVER, NEVER, NEVER, NO,
          "What the embedder answers cannot be used, and none of it was.",
          "See that shape, model and dimensions in lockgate.search.embedder are those it has."),
    Entry(526, "embedder-key", "configuration", NEVER, NEVER, NEVER, NO,
          "The key for the embedder cannot be read; nothing was sent.",
          "Correct key or key_file in lockgate.search.embedder."),
)
SEARCH_COMMANDS: Final = (
    command(976, "semantic-unusable", "environment",
            "Tools are to be found by what is meant, and the packages for it are not installed.",
            "Install lockgate[semantic] (with an embedder: lockgate[vectors]), or set "
            "lockgate.search.semantic to auto or off."),
)
# fmt: on
