"""What the browser tests share: one Chromium, pages that must stay free of errors, people signed in.

Every page opened through `open_page` is watched: a console error, an uncaught exception or a violation of the
content security policy fails the test, unless the test said beforehand that it expects it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page

from apps.core.models import User
from tests.browser import browser_on_path

# Playwright's synchronous interface runs an event loop in this thread, which Django takes for an async view.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
#: A busy machine is slow, and no test here is about speed.
PATIENCE_MS = 60_000

_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  const place = `${event.sourceFile}:${event.lineNumber}:${event.columnNumber}`;
  console.error(`CSP: ${event.violatedDirective} refused: ${place}: ${event.target.outerHTML}`);
});
"""
#: The browser's own words about a violation; the listener above tells the same, and where it was.
_TOLD_ABOVE = "violates the following Content Security Policy directive"


@dataclass
class Watch:
    """What went wrong in any watched page; `expect` names parts of messages that a test provokes."""

    problems: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, part: str) -> None:
        self.expected.append(part)

    def note(self, problem: str) -> None:
        if not any(part in problem for part in (*self.expected, _TOLD_ABOVE)):
            self.problems.append(problem)

    def attach(self, page: Page) -> None:
        page.on(
            "console",
            lambda said: self.note(f"{page.url}: {said.text}") if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.note(f"{page.url}: {error}"))


OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Chromium refuses to start as root with its sandbox on."""
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    own = browser_on_path()
    return {"args": arguments, **({"executable_path": own} if own else {})}


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert not watch.problems, "\n".join(watch.problems)


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """open_page(url): a page in a browser session of its own; `user=` signs somebody in beforehand."""
    contexts: list[BrowserContext] = []

    def opened(url: str, *, user: User | None = None, viewport: dict[str, int] = DESKTOP) -> Page:
        context = browser.new_context(viewport=viewport, base_url=url, reduced_motion="reduce")  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(_REPORT_VIOLATIONS)
        if user is not None:
            context.add_cookies([session_cookie(user, url)])  # type: ignore[list-item]
        page = context.new_page()
        watch.attach(page)
        return page

    yield opened
    for context in contexts:
        context.close()


def session_cookie(user: User, url: str) -> dict[str, str]:
    """The cookie of a session in which `user` is signed in."""
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session  # allauth asks for the password again unless it was given a moment ago
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}
