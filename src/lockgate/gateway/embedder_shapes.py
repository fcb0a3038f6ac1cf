"""How services that embed texts are spoken to: a table of what is sent and what comes back. Pure.

Must not know: HTTP, keys, what the texts are.

Sources: the reference of the OpenAI API (`POST /v1/embeddings`), which most others copy; the API of
Ollama (`POST /api/embed`); that of Text Embeddings Inference (`POST /embed`). The latter two are
there for what theirs can and the first cannot: have texts cut that are longer than the model takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from lockgate.config.embedder import MOST_DIMENSIONS, EmbedderSettings

Vectors = list[list[float]]


class Unreadable(Exception):
    """An answer is none of its shape; the message quotes nothing of it."""


class Shape(NamedTuple):
    """One way of asking.

    body  what is sent: of the texts, without the settings that all shapes have.
    read  the vectors of an answer, in the order of the texts; raises Unreadable.
    """

    body: Callable[[EmbedderSettings, Sequence[str]], dict[str, Any]]
    read: Callable[[bytes], Vectors]


class _Item(msgspec.Struct):
    embedding: list[float]
    index: int | None = None


class _OpenAi(msgspec.Struct):
    data: list[_Item]


class _Ollama(msgspec.Struct):
    embeddings: Vectors


def _openai_body(settings: EmbedderSettings, texts: Sequence[str]) -> dict[str, Any]:
    return {"model": settings.model, "input": texts}


def _openai_read(answer: bytes) -> Vectors:
    items = _decoded(answer, _OpenAi).data
    if all(one.index is None for one in items):
        return [one.embedding for one in items]
    # They may come in any order.
    found = {one.index: one.embedding for one in items}
    if found.keys() != set(range(len(items))):
        raise Unreadable("its vectors are not numbered one for each text")
    return [found[place] for place in range(len(items))]


def _ollama_body(settings: EmbedderSettings, texts: Sequence[str]) -> dict[str, Any]:
    return {"model": settings.model, "input": texts, "truncate": True}


def _ollama_read(answer: bytes) -> Vectors:
    return _decoded(answer, _Ollama).embeddings


def _tei_body(_: EmbedderSettings, texts: Sequence[str]) -> dict[str, Any]:
    # One such service has one model, so none is named.
    return {"inputs": texts, "truncate": True, "normalize": True}


def _tei_read(answer: bytes) -> Vectors:
    return _decoded(answer, Vectors)


def _decoded(answer: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(answer, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # What is wrong may quote what was sent.
        raise Unreadable("its answer is not of the shape that is configured") from None


SHAPES: Final[Mapping[str, Shape]] = {
    "openai": Shape(_openai_body, _openai_read),
    "ollama": Shape(_ollama_body, _ollama_read),
    "tei": Shape(_tei_body, _tei_read),
}


def body(settings: EmbedderSettings, texts: Sequence[str]) -> bytes:
    """What is sent to have these texts embedded."""
    said = SHAPES[settings.shape].body(settings, texts)
    if settings.dimensions is not None:
        said["dimensions"] = settings.dimensions
    return msgspec.json.encode(said)


def vectors(settings: EmbedderSettings, answer: bytes, count: int) -> Vectors:
    """The vectors of an answer: as many as there were texts, and all of one length that may be.

    Raises:
        Unreadable: they are not.
    """
    found = SHAPES[settings.shape].read(answer)
    if len(found) != count:
        raise Unreadable(f"it made {len(found)} vectors of {count} texts")
    lengths = {len(one) for one in found}
    wanted = settings.dimensions
    if wanted is not None and lengths != {wanted}:
        raise Unreadable(f"its vectors have not the {wanted} dimensions that are configured")
    if len(lengths) != 1 or not 0 < max(lengths) <= MOST_DIMENSIONS:
        raise Unreadable(f"its vectors are not of one length, or not of 1 to {MOST_DIMENSIONS}")
    return found
