"""How much of what servers say is written again, shorter: the keys of `compact`.

Must not know: how anything is made shorter.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lockgate.config.limits import Section

TAKE_TYPE_LISTS = ["claude*", "anthropic*", "codex*", "openai*"]


class CompactSettings(Section):
    """What models are shown of tools and results. Calls are held against what servers wrote."""

    tools: Literal["off", "lossless", "short", "brief", "bare", "signature"] = Field(
        default="lossless",
        description=(
            "How tools are listed: `off` as the server wrote them; `lossless` without what says "
            "nothing, with schemas that accept the same; `short`, `brief` and `bare` with ever "
            "less description, `signature` with one line in place of the schema. All but the first "
            "two lose something, and tools that did say so in their `_meta`."
        ),
    )
    type_lists: Literal["auto", "always", "never"] = Field(
        default="auto",
        description=(
            'Whether `anyOf: [X, null]` may become `type: [X, "null"]`, which some model APIs '
            "refuse: `auto` for clients whose names match `type_list_clients`."
        ),
    )
    type_list_clients: list[str] = Field(
        default=TAKE_TYPE_LISTS,
        max_length=1000,
        description="Patterns of client names, in any letter case; what matches takes lists.",
    )
    results: Literal["off", "auto", "minify", "columnar"] = Field(
        default="auto",
        description=(
            "How JSON in the text of results is written: `auto` without needless space where it is "
            "data, and no copy of a file; `minify` wherever a text is JSON; `columnar` tables by "
            "columns as well where that saves enough; `off` as it came."
        ),
    )
    duplicates: Literal["keep", "drop"] = Field(
        default="keep",
        description=(
            "Text that says the same as the result's structured content: `drop` replaces it by a "
            "word. Only for clients that give models the structured content."
        ),
    )
    repeats: Literal["send", "suppress", "diff"] = Field(
        default="send",
        description=(
            "A large result of a read-only tool that the same conversation was given a moment ago "
            "and that has not changed: `suppress` says so instead, once, and sends it when asked "
            "again. `diff` also answers what changed, where that is much shorter, in one that has; "
            "`results.enabled` keeps what that takes."
        ),
    )
