"""Bounds on everything a peer controls: what clients may ask, what servers may answer.

Must not know: who enforces a bound. Every field is documented here once; the reference page, the
JSON Schema and the errors are made from it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from lockgate.config.quantities import Bytes, Seconds, bytes_of, count, size, time

KIB = 1024
MIB = 1024 * KIB


class Section(BaseModel):
    """One object of the configuration: frozen, and with no keys but the ones it names."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=False
    )


class GatewayLimits(Section):
    """What clients may ask of the endpoint."""

    body_bytes: Bytes = size(
        4 * MIB, KIB, 1024 * MIB, "The largest request body; a larger one is refused with 413."
    )
    json_depth: int = count(
        64,
        8,
        1000,
        "How deep arrays and objects of a request may nest; deeper is refused before it is parsed.",
    )
    header_count: int = count(
        100, 10, 10_000, "The most header fields of one request; more is refused with 431."
    )
    header_bytes: Bytes = size(
        32 * KIB,
        KIB,
        MIB,
        "Request line and headers of one request together; more is refused with 431.",
    )
    target_bytes: Bytes = size(
        8 * KIB, 256, MIB, "The longest request target; a longer one is refused with 414."
    )
    header_timeout: Seconds = time(
        10, 0.1, 3600, "Time to send all headers of a request, so that slow senders hold nothing."
    )
    body_timeout: Seconds = time(30, 0.1, 3600, "Time to send a request's body after its headers.")
    idle_timeout: Seconds = time(
        75, 1, 86400, "How long a connection may stay open between two requests."
    )
    write_timeout: Seconds = time(
        60, 1, 86400, "How long a client may read nothing while an answer waits for it."
    )
    unsent_bytes: Bytes = size(
        8 * MIB,
        64 * KIB,
        1024 * MIB,
        "How much of a streamed answer may wait for a slow client before it is disconnected.",
    )
    connections: int = count(
        10_000, 1, 1_000_000, "Client connections open at once; the next one is answered 503."
    )
    concurrent_requests: int = count(
        1000, 1, 1_000_000, "Calls running at once in all; the next one is refused, not queued."
    )
    concurrent_per_caller: int = count(
        1000, 1, 1_000_000, "Calls running at once for one caller; equal to the total by default."
    )
    listen_streams: int = count(
        5000,
        1,
        1_000_000,
        "Notification streams open at once, of clients of either era; they count here and not as "
        "calls.",
    )
    backlog: int = count(
        256,
        1,
        100_000,
        "Notifications kept for a client that is slow or reconnecting; older ones are dropped.",
    )


class ServerLimits(Section):
    """What one server may answer, and how much is asked of it at once."""

    message_bytes: Bytes = size(
        32 * MIB,
        KIB,
        2048 * MIB,
        "The largest message a server may send; a larger one fails that call only.",
    )
    concurrent: int = count(
        256, 1, 100_000, "Calls to this server at once; more wait for their turn."
    )
    concurrent_per_caller: int = count(
        256, 1, 100_000, "The same for one caller; equal to the total by default."
    )
    waiting: int = count(
        1024,
        0,
        1_000_000,
        "Calls that may wait for their turn, callers in fair shares; one more is refused at once.",
    )
    wait: Seconds = time(30, 0, 3600, "How long a call may wait for its turn.")
    connections: int = count(
        256, 1, 10_000, "HTTP connections open to this server's host and port at once."
    )
    streams: int = count(
        10_000,
        1,
        1_000_000,
        "HTTP connections beside these for streams that stay open, which calls never wait for.",
    )
    list_items: int = count(
        10_000,
        1,
        1_000_000,
        "The most tools, resources or prompts in a list of this server; a longer list is refused.",
    )
    list_pages: int = count(
        200,
        1,
        100_000,
        "The most pages of one list; a longer list is refused, so that none is endless.",
    )
    sessions: int = count(
        10_000,
        1,
        100_000,
        "Sessions (or, with `isolation: session`, processes) kept for clients of this server.",
    )
    processes: int = count(
        8,
        1,
        1000,
        "Child processes of this server at once, with `isolation: session`; one more is refused.",
    )
    memory_bytes: Annotated[int | None, BeforeValidator(bytes_of)] = size(
        None,
        MIB,
        1024 * 1024 * MIB,
        "Memory a child process may hold, with all it has started; one that holds more is ended. "
        "None: no ceiling.",
    )
    open_files: int | None = count(
        None,
        16,
        1_000_000,
        "Files each process of a stdio server may have open. None: as many as Lockgate was "
        "started with.",
    )
    stderr_line_bytes: Bytes = size(
        8 * KIB, 256, MIB, "The longest line of a stdio server's stderr that is logged in full."
    )
