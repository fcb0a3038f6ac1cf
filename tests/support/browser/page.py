"""Pages of a Chromium as a person has them: open, read, fill in, press, look at.

Speaks the DevTools protocol over one WebSocket, one request at a time. Must not know: how the
browser was started.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PATIENCE = 60.0


class BrowserError(Exception):
    """The browser refused a command, or what was waited for did not come."""


class Chromium:
    """The connection to a running browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last = 0
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One command and its result; events that come meanwhile are kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._socket.send(json.dumps(message))
        ends = time.monotonic() + PATIENCE
        while True:
            got = self.receive(ends)
            if got.get("id") == self._last:
                if "error" in got:
                    raise BrowserError(f"{method}: {got['error'].get('message')}")
                return got["result"]

    def receive(self, ends: float) -> dict[str, Any]:
        """The next message; an event is kept as well."""
        try:
            got = json.loads(self._socket.recv(timeout=max(0.01, ends - time.monotonic())))
        except TimeoutError:
            raise BrowserError("the browser stayed silent") from None
        if "method" in got:
            self.events.append(got)
            del self.events[:-2000]
        return got

    @contextlib.contextmanager
    def page(self, *, width: int = 1000, height: int = 800, dark: bool = False) -> Iterator[Page]:
        """A page in a profile of its own, with no cookie of any other."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)
        session = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)[
            "sessionId"
        ]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.command(f"{domain}.enable")
        page.show(width, height, dark=dark)
        try:
            yield page
        finally:
            self.send("Target.disposeBrowserContext", browserContextId=context)


@contextlib.contextmanager
def connected(url: str) -> Iterator[Chromium]:
    """A connection to the browser that said it takes commands at this address."""
    with connect(url, max_size=64 * 1024 * 1024, open_timeout=PATIENCE) as socket:
        yield Chromium(socket)


class Page:
    """One page; every wait is bounded."""

    def __init__(self, chromium: Chromium, session: str) -> None:
        self._chromium = chromium
        self._session = session

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol, for this page."""
        return self._chromium.send(method, self._session, **params)

    def show(self, width: int, height: int, *, dark: bool = False) -> None:
        """Change the size of the window and the person's choice of colours."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Go to an address and wait until it has loaded, wherever redirects led."""
        said = self.command("Page.navigate", url=url)
        if said.get("errorText"):
            raise BrowserError(f"{url}: {said['errorText']}")
        self.wait(lambda: self.evaluate("document.readyState") == "complete", f"{url} to load")

    def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression gives; ``None`` while the page is changing."""
        try:
            said = self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        except BrowserError:
            return None
        if "exceptionDetails" in said:
            raise BrowserError(json.dumps(said["exceptionDetails"])[:500])
        return said["result"].get("value")

    @property
    def url(self) -> str:
        return self.evaluate("location.href") or ""

    @property
    def text(self) -> str:
        """What a person reads."""
        return self.evaluate("document.body ? document.body.innerText : ''") or ""

    def has(self, selector: str) -> bool:
        """Whether something matches the CSS selector."""
        return bool(self.evaluate(f"!!document.querySelector({json.dumps(selector)})"))

    def fill(self, selector: str, text: str) -> None:
        """Type into a field, in place of what it holds."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"({found}.focus(), {found}.select(), true)")
        self.command("Input.insertText", text=text)

    def press(self, selector: str) -> None:
        """Click the middle of what matches, with the mouse, as a person would."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{found}.scrollIntoView({{block: 'center'}})")
        box = self.evaluate(
            f"(() => {{const b = {found}.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2];})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.command(
                "Input.dispatchMouseEvent",
                type=kind,
                x=box[0],
                y=box[1],
                button="left",
                clickCount=1,
            )

    def wait(self, condition: Callable[[], Any], what: str = "it") -> Any:
        """Wait until the condition is true; it is looked at again whenever the browser speaks."""
        ends = time.monotonic() + PATIENCE
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > ends:
                raise BrowserError(f"waited in vain for {what}; at {self.url}:\n{self.text[:2000]}")
            with contextlib.suppress(BrowserError):
                # Some changes of a page come with no event: look again soon in any case.
                self._chromium.receive(time.monotonic() + 0.1)

    def wait_for(self, selector: str) -> None:
        """Wait until something matches on a page that has loaded."""
        ready = "document.readyState === 'complete' && "
        wanted = f"{ready} !!document.querySelector({json.dumps(selector)})"
        self.wait(lambda: self.evaluate(wanted), selector)

    def wait_for_url(self, start: str) -> str:
        """Wait until the address begins so and its page has loaded; gives the whole address."""
        self.wait(
            lambda: (
                self.url.startswith(start) and self.evaluate("document.readyState") == "complete"
            ),
            start,
        )
        return self.url

    def cookies(self, url: str) -> dict[str, dict[str, Any]]:
        """The cookies the browser would send to an address, with their attributes."""
        found = self.command("Network.getCookies", urls=[url])["cookies"]
        return {cookie["name"]: cookie for cookie in found}

    def complaints(self) -> list[str]:
        """What the browser wrote to its console about this page: refusals, broken policies."""
        return [
            event["params"]["entry"]["text"]
            for event in self._chromium.events
            if event.get("sessionId") == self._session and event["method"] == "Log.entryAdded"
        ]

    def screenshot(self, path: Path) -> None:
        """Save what the window shows as PNG."""
        shot = self.command("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))
