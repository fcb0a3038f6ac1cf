"""Who makes vectors of tools and queries, where it is not the gateway: the key `search.embedder`.

Must not know: how anything is searched, how requests are made.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from lockgate.config.limits import Section
from lockgate.config.quantities import Seconds, count, time
from lockgate.context.search.fusion import LONGEST
from lockgate.wire.addresses import is_public
from lockgate.wire.url import Url

MOST_DIMENSIONS: Final = 4096
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


class EmbedderSettings(Section):
    """A service that is sent what tools and queries say, and answers with vectors."""

    url: str = Field(
        description=(
            "Where it is asked, path included, such as `https://api.example.com/v1/embeddings`. "
            "http only to this machine, or with `reach: any` to addresses that are not public."
        )
    )
    shape: Literal["openai", "ollama", "tei"] = Field(
        default="openai",
        description=(
            "How it is spoken to: `openai` as most are (`/v1/embeddings`), `ollama` (`/api/embed`) "
            "or `tei` (`/embed`)."
        ),
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The model's name there; all but `shape: tei` need one.",
    )
    dimensions: int | None = count(
        None,
        8,
        MOST_DIMENSIONS,
        "How long vectors are to be, for a model that can shorten them. None: as it makes them.",
    )
    key: SecretStr | None = Field(
        default=None,
        description="Shown as `Authorization: Bearer`; best a `${VARIABLE}`.",
    )
    key_file: Path | None = Field(
        default=None, strict=False, description="The file that holds the key, read each time."
    )
    reach: Literal["public", "any"] = Field(
        default="public",
        description=(
            "Where the name in its URL may lead, judged as it is connected to: the public internet "
            "alone, or with `any` also inside; never where clouds hand out credentials. An address "
            "or `localhost` in the URL is taken as it is."
        ),
    )
    wait: Seconds = time(
        0.15, 0.005, 10, "How long a search waits for the vector of its query; then words do alone."
    )
    timeout: Seconds = time(30, 0.1, 300, "How long one request may take.")
    batch: int = count(32, 1, 256, "Texts in one request.")
    at_once: int = count(2, 1, 16, "Requests under way at once for tools, and as many for queries.")
    longest: int = count(
        LONGEST,
        100,
        LONGEST,
        "Characters of a text that are sent; fewer for a model that takes few.",
    )
    tool_prefix: str = Field(
        default="",
        max_length=500,
        description="What stands before the text of a tool, for a model trained with that.",
    )
    query_prefix: str = Field(
        default="", max_length=500, description="The same before a query, such as `query: `."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        Url.parse(url)
        if "?" in url or "#" in url:
            raise ValueError("url must have no query or fragment; give the key as `key`")
        return url

    @field_validator("key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not fit(key.get_secret_value()):
            raise ValueError("the key is empty, or has characters that no header can hold")
        return key

    @model_validator(mode="after")
    def _check_together(self) -> EmbedderSettings:
        if self.model is None and self.shape != "tei":
            raise ValueError(f"`shape: {self.shape}` needs the name of a `model`")
        if self.key is not None and self.key_file is not None:
            raise ValueError("give `key` or `key_file`, not both")
        address = self.address
        inside = self.reach == "any" or address in _LOCAL
        if address is not None and address not in _LOCAL:
            inside = inside or not is_public(address)
        if self.url.lower().startswith("http:") and not inside:
            raise ValueError(
                "url must be https: tools, queries and the key would travel in clear text; "
                "inside a network of your own, say `reach: any`"
            )
        return self

    @property
    def address(self) -> str | None:
        """The address that its URL is written with, if it is no other name."""
        host = Url.parse(self.url).host
        if host in _LOCAL:
            return host
        try:
            ip_address(host)
        except ValueError:
            return None
        return host


def fit(key: str) -> bool:
    """Whether a header can hold this key."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key
