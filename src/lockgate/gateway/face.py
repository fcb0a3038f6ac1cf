"""What clients see of one kind of list: the servers' sections merged, named and made bytes. Pure.

Must not know: how sections are fetched or when they go stale.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from lockgate.core.message import Failure, Result, Target
from lockgate.core.names import Naming, alias_uri, confusable, spell
from lockgate.core.raw import Raw, encode
from lockgate.core.sight import Sight
from lockgate.gateway import login_tools
from lockgate.gateway.listing import ENVELOPE, Item, ListMethod, Section
from lockgate.gateway.shaping import Write
from lockgate.wire.jsonrpc import INVALID_PARAMS


class _Entry(NamedTuple):
    public: str
    target: Target
    item: Item


class Face(msgspec.Struct, frozen=True, kw_only=True):
    """One merged list.

    pages    ready results, at least one; page n+1 is reached by the cursor of page n.
    richer   the same for clients that read more (`Shaping.richer`), made when it is first asked.
    routes   public name or URI → where it leads.
    refused  public name or URI → why it leads nowhere: it is withheld, or cannot be told apart.
    items    public name → the definition, for those who need to look inside.
    parts    the sections it was made from.
    digest   of what it lists.
    mark     of that and where it is shown, by which cursors are known.
    """

    entry: ListMethod
    pages: tuple[Result, ...]
    routes: dict[str, Target]
    refused: dict[str, Failure]
    items: dict[str, Raw]
    parts: tuple[Section, ...]
    digest: str
    mark: str
    richer: Callable[[], tuple[Result, ...]]

    def page(self, cursor: object, *, richer: bool = False) -> Result | Failure:
        """The page a client's cursor asks for; None asks for the first."""
        pages = self.richer() if richer else self.pages
        if cursor is None:
            return pages[0]
        number = _open_cursor(cursor, self.mark)
        if number is None or not 0 < number < len(pages):
            return Failure(
                code=INVALID_PARAMS,
                message="Invalid cursor: it is not of this list, or the list has changed since.",
                origin="client",
                reason="invalid-cursor",
                remedy=f"Start again with {self.entry.method} without a cursor.",
            )
        return pages[number]


def merge(
    entry: ListMethod,
    sections: Iterable[Section],
    naming: Naming,
    *,
    modern: bool,
    page_size: int,
    endpoint: str = "",
    personal: bool = False,
    write: Write | None = None,
    write_richer: Write | None = None,
    names: Mapping[Target, str] = MappingProxyType({}),
    own: Sequence[Item] = (),
) -> Face:
    """Merge sections, in the order given, into one face.

    Names that cannot be told apart (equal but for letter case, from different servers) are listed
    for none of them and refused with the origins named; a resource URI that several servers offer
    is listed under an alias for each. `modern`: write the caching hints of revision 2026-07-28;
    `personal`: which never call it public. Cursors of one `endpoint` are worth nothing at others.
    Where a section is absent for want of a login, the tool that asks for it stands in its place.
    `write` makes what is listed of what servers wrote, `write_richer` what clients that read more
    are shown; None: nothing does. `names` are those that are not spelled by `naming`.
    `own` stands at the end, under other names where servers have those.
    """
    parts = tuple(sections)
    there = [part for part in parts if part.problem is None]
    logins = login_tools.listed(entry, parts)

    def public(server: str, key: str) -> str:
        said = names.get(Target(server, entry.kind, key)) if names else None
        return said or _public(entry, server, key, naming)

    entries = [
        _Entry(public(part.server, item.key), Target(part.server, entry.kind, item.key), item)
        for part in there
        for item in part.items
    ]
    listed, refused = _settle(entry, entries)
    for part in parts:
        for key, why in part.withheld.items():
            refused.setdefault(public(part.server, key), why)
    items = {one.public: _renamed(entry, one) for one in listed}
    for tool in logins:
        items.setdefault(tool.key, tool.raw)
    for one in own:
        name = _free(entry, one.key, {*items, *refused})
        items[name] = one.raw if name == one.key else one.raw.replace(name=name)
    written = {one.public: _renamed(entry, one, write) for one in listed} if write else {}
    written = {**items, **written}
    digest = sha256(b"\0".join(item.encode() for item in written.values())).hexdigest()[:16]
    # Whoever logs in sees another list at once.
    envelope = _envelope(there, modern=modern, personal=personal or bool(logins))
    if logins and modern:
        envelope["ttlMs"] = b"0"
    mark = sha256(f"{endpoint}\0{digest}".encode()).hexdigest()[:16]

    @cache
    def richer() -> tuple[Result, ...]:
        found = {one.public: _renamed(entry, one, write_richer) for one in listed}
        # Whoever keeps it for others must not give it to those who cannot read it.
        own = {**envelope, "cacheScope": b'"private"'} if modern else envelope
        return _pages(entry, list({**items, **found}.values()), own, page_size, mark)

    return Face(
        entry=entry,
        pages=_pages(entry, list(written.values()), envelope, page_size, mark),
        richer=richer,
        routes={one.public: one.target for one in listed},
        refused=refused,
        items=items,
        parts=parts,
        digest=digest,
        mark=mark,
    )


def relisted(face: Face, items: Sequence[Raw], page_size: int, *, richer: bool) -> Face:
    """The face with these items on its pages, whatever it leads to.

    `richer`: they are for clients that read more, and so are the pages of the face.
    """
    entry, first = face.entry, (face.richer() if richer else face.pages)[0].raw
    envelope = {
        key: first.member(key) or b"null"
        for key in first
        if key not in (entry.member, "nextCursor")
    }
    digest = sha256(face.mark.encode())
    for item in items:
        digest.update(item.encode() + b"\0")
    mark = digest.hexdigest()[:16]
    pages = _pages(entry, items, envelope, page_size, mark)
    return replace(face, pages=pages, richer=lambda: pages, mark=mark)


def _free(entry: ListMethod, name: str, taken: Collection[str]) -> str:
    """What something of the gateway's own is called where these names are taken."""
    there = {_claim(entry, one) for one in taken}
    while entry.key == "name" and _claim(entry, name) in there:
        name = f"lockgate_{name}"
    return name


def _public(entry: ListMethod, server: str, key: str, naming: Naming) -> str:
    return spell(server, key, naming) if entry.key == "name" else key


def shown(section: Section, entry: ListMethod, sight: Sight) -> Section:
    """The section with only what this sight shows of it."""
    if sight.whole:
        return section
    shows, server, kind = sight.shows, section.server, entry.kind
    items = tuple(item for item in section.items if shows(server, kind, item.key))
    withheld = {key: why for key, why in section.withheld.items() if shows(server, kind, key)}
    if len(items) == len(section.items) and len(withheld) == len(section.withheld):
        return section
    # What nobody here knows may name what is left out.
    return replace(section, items=items, extras={}, withheld=withheld)


def _settle(
    entry: ListMethod, entries: Sequence[_Entry]
) -> tuple[list[_Entry], dict[str, Failure]]:
    unique: dict[tuple[str, Target], _Entry] = {}
    for one in entries:
        unique.setdefault((one.public, one.target), one)
    groups: dict[str, list[_Entry]] = {}
    for one in unique.values():
        groups.setdefault(_claim(entry, one.public), []).append(one)
    listed: list[_Entry] = []
    refused: dict[str, Failure] = {}
    for group in groups.values():
        if _distinct(group):
            listed += group
            continue
        refused |= {one.public: _clash(entry, one.public, group) for one in group}
        if entry.key != "name":
            listed += [
                one._replace(public=alias_uri(one.target.server, one.public)) for one in group
            ]
    order = {id(one.item): number for number, one in enumerate(entries)}
    return sorted(listed, key=lambda one: order[id(one.item)]), refused


def _claim(entry: ListMethod, public: str) -> str:
    return confusable(public) if entry.key == "name" else public


def _distinct(group: Sequence[_Entry]) -> bool:
    """One server may have names that differ in letter case only: that is its own business."""
    publics = {one.public for one in group}
    return len({one.target.server for one in group}) == 1 and len(publics) == len(group)


def _clash(entry: ListMethod, public: str, group: Sequence[_Entry]) -> Failure:
    origins = ", ".join(f"{one.target.server} ({one.target.name})" for one in group)
    if entry.key == "name":
        remedy = "Set `naming: prefix`, or rename one of the servers in the configuration."
    else:
        aliases = ", ".join(alias_uri(one.target.server, one.public) for one in group)
        remedy = f"Use one of {aliases}."
    return Failure(
        code=INVALID_PARAMS,
        message=f"{public} is claimed by more than one origin: {origins}.",
        origin="gateway",
        reason="name-collision",
        data={"servers": sorted({one.target.server for one in group})},
        remedy=remedy,
    )


def _renamed(entry: ListMethod, one: _Entry, write: Write | None = None) -> Raw:
    raw = one.item.raw if write is None else Raw(write(one.item.raw.encode()))
    if one.public == one.target.name:
        return raw
    return raw.replace(**{entry.key: one.public})


def _envelope(parts: Sequence[Section], *, modern: bool, personal: bool) -> dict[str, bytes]:
    envelope: dict[str, bytes] = {}
    for part in parts:
        for key, value in part.extras.items():
            envelope.setdefault(key, value)
    if len(parts) > 1:
        envelope.pop("_meta", None)
    if modern:
        # A part without hints may change at any time and may be one caller's alone.
        ttl = min((part.ttl_ms or 0 for part in parts), default=0)
        public = not personal and bool(parts) and all(part.scope == "public" for part in parts)
        envelope["resultType"] = b'"complete"'
        envelope["ttlMs"] = b"%d" % ttl
        envelope["cacheScope"] = b'"public"' if public else b'"private"'
    return envelope


def _pages(
    entry: ListMethod,
    items: Sequence[Raw],
    envelope: dict[str, bytes],
    page_size: int,
    digest: str,
) -> tuple[Result, ...]:
    pages: list[Result] = []
    for start in range(0, max(len(items), 1), page_size):
        chunk = items[start : start + page_size]
        members = {entry.member: b"[" + b",".join(item.encode() for item in chunk) + b"]"}
        if start + page_size < len(items):
            members["nextCursor"] = encode(_cursor(len(pages) + 1, digest))
        pages.append(Result(Raw(Raw(members={**members, **envelope}).encode())))
    return tuple(pages)


def _cursor(page: int, digest: str) -> str:
    return urlsafe_b64encode(f"{page}.{digest}".encode()).decode().rstrip("=")


def _open_cursor(cursor: object, digest: str) -> int | None:
    if not isinstance(cursor, str) or len(cursor) > 64:
        return None
    try:
        number, _, of = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(".")
    except (BadBase64, ValueError):
        return None
    return int(number) if of == digest and number.isascii() and number.isdigit() else None


def extras_of(entry: ListMethod, raw: Raw) -> dict[str, bytes]:
    """The members of a list result that are neither items nor envelope."""
    return {
        key: raw.member(key) or b"null"
        for key in raw
        if key != entry.member and key not in ENVELOPE
    }
