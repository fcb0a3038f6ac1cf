"""A browser as far as a login needs one: follows redirects, keeps cookies, presses the button."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from html import unescape
from typing import Any

FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


class Browser:
    """One browser, with its own cookies; remembers the addresses it was at."""

    def __init__(self) -> None:
        self.cookies = http.cookiejar.CookieJar()
        self.visited: list[str] = []
        visited = self.visited

        class Following(urllib.request.HTTPRedirectHandler):
            def redirect_request(
                self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
            ) -> Any:
                visited.append(newurl)
                return super().redirect_request(req, fp, code, msg, headers, newurl)

        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies), Following()
        )

    def open(self, url: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """The status and text of the page that `url` ends at."""
        self.visited.append(url)
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        try:
            with self.opener.open(url, data, timeout=15) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def log_in(self, url: str, **fields: str) -> tuple[int, str]:
        """Open the page, and go on from there as its form says, with `fields` filled in."""
        status, text = self.open(url)
        if status != 200:
            return status, text
        form = {name: unescape(value) for name, value in FIELD.findall(text)}
        form |= fields
        return self.open(urllib.parse.urljoin(url, "login"), form)
