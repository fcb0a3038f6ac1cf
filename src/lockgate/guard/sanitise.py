"""HTML made harmless: no scripts, no comments, no forms, nothing that is fetched by itself.

Must not know: whose page it is, or which results are pages.

The work is done by `nh3` (`lockgate[html]`), the binding of a parser that reads HTML as browsers
do: whatever reads tags with patterns is read differently by a browser sooner or later. What a style
hides (`display: none`) loses its style, and is seen.
"""

from __future__ import annotations

from typing import Final

ATTRIBUTES: Final = {
    "*": {"title", "lang", "dir"},
    "a": {"href", "hreflang"},
    "img": {"alt", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}
"""An image keeps its words and loses its address: fetching it tells its host that it was read."""


def sanitised(html: str) -> str:
    """The HTML without what is not allowed; the very same if there is nothing of it."""
    import nh3  # noqa: PLC0415 - an extra, needed by whoever has HTML sanitised

    clean = nh3.clean(
        html,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
        strip_comments=True,
    )
    return html if clean == html else clean
