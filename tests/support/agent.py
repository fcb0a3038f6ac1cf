"""A person at a browser without scripts: keeps cookies, follows redirects, fills in forms.

For flows of pages that need no real browser. Must not know: any provider or page in particular.
"""

from __future__ import annotations

import http.client
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

MOST_HOPS = 15


@dataclass
class Form:
    """One form of a page: where it goes and what is already filled in."""

    action: str
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)


class FormParser(HTMLParser):
    """Collects forms with their named inputs; of the buttons, none is pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "input" and self.forms and "name" in given:
            unticked = given.get("type") in ("checkbox", "radio") and "checked" not in given
            if not unticked:
                self.forms[-1].fields[given["name"]] = given.get("value", "")


@dataclass(frozen=True)
class Page:
    """What an address answered."""

    url: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def forms(self) -> list[Form]:
        parser = FormParser()
        parser.feed(self.text)
        return parser.forms

    def header(self, name: str) -> str | None:
        """The value of a header; several are joined by commas."""
        values = [value for given, value in self.headers if given.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def location(self) -> str:
        """Where a redirect leads, as a whole URL."""
        found = self.header("location")
        assert found is not None, f"{self.url} answered {self.status}, no redirect: {self.text}"
        return urllib.parse.urljoin(self.url, found)

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the address itself."""
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.url).query))


class Agent:
    """One browser profile: its cookies, kept by host and port."""

    def __init__(self) -> None:
        # Ports keep cookies apart here, as they are different parties in tests.
        self.cookies: dict[str, dict[str, str]] = {}

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """One request with this agent's cookies, no redirect followed."""
        parts = urllib.parse.urlsplit(url)
        assert parts.scheme == "http", url
        jar = self.cookies.setdefault(parts.netloc, {})
        sent = {"Accept": "text/html", **(headers or {})}
        if jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        try:
            path = parts.path or "/"
            connection.request(method, f"{path}?{parts.query}" if parts.query else path, body, sent)
            answer = connection.getresponse()
            page = Page(url, answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()
        for name, value in page.headers:
            if name.lower() == "set-cookie":
                self._keep(jar, value)
        return page

    @staticmethod
    def _keep(jar: dict[str, str], line: str) -> None:
        pair, *attributes = line.split(";")
        name, _, value = pair.strip().partition("=")
        gone = any(a.strip().lower() in ("max-age=0", "max-age=-1") for a in attributes)
        if gone or not value or "expires=thu, 01 jan 1970" in line.lower():
            jar.pop(name, None)
        else:
            jar[name] = value

    def get(self, url: str, **headers: str) -> Page:
        return self.request("GET", url, headers=headers)

    def submit(self, page: Page, **fields: str) -> Page:
        """Send the page's first form with these fields filled in; no redirect followed."""
        form = page.forms[0]
        where = urllib.parse.urljoin(page.url, form.action)
        content = urllib.parse.urlencode({**form.fields, **fields})
        if form.method != "post":
            return self.get(f"{where}?{content}")
        parts = urllib.parse.urlsplit(page.url)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"{parts.scheme}://{parts.netloc}",
        }
        return self.request("POST", where, content.encode(), headers)

    def follow(self, page: Page, until: Callable[[str], bool]) -> Page:
        """Follow redirects to a page, or to an address ``until`` says not to open."""
        for _ in range(MOST_HOPS):
            if page.status not in (301, 302, 303, 307):
                return page
            if until(page.location):
                return Page(page.location, 0, [], b"")
            page = self.get(page.location)
        raise AssertionError(f"more than {MOST_HOPS} redirects; the last to {page.url}")
