"""What tests of the workbench do again and again: a person with a page, who runs columns and follows them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.test import Client
from django.urls import reverse

from apps.core.models import Project, User
from apps.core.roles import Role
from apps.prompts.models import Prompt
from apps.prompts.services import prompt_create
from apps.prompts.typed import typed_nothing
from apps.providers.models import Provider
from apps.providers.services import ProviderSettings, provider_create
from tests.event_client import EventClient
from tests.factories.core import SYSTEM, make_member
from tests.loopback_provider import API_KEY, LoopbackProvider

_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def make_endpoint(project: Project, loopback: LoopbackProvider, **more: Any) -> Provider:
    """The loopback provider, in the project as "loop"."""
    settings = ProviderSettings(
        name="Loop", base_url=loopback.base_url, **{"max_concurrency": 64, "timeout_s": 60} | more
    )
    return provider_create(project=project, by=SYSTEM, kind="openai", settings=settings, api_key=API_KEY)


def typed(text: str, model: str = "loop/loop-small", **more: str) -> dict[str, Any]:
    """One user message, as the editor holds it."""
    nothing = typed_nothing()
    message = {**nothing["messages"][0], "role": "user", "content": text}
    return {**nothing, "messages": [message], "model": model, **more}


@dataclass
class PageOfPerson:
    """A member with a page open on a prompt. `url` is the web server's, for following the stream."""

    project: Project
    prompt: Prompt
    user: User
    url: str = ""
    page: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        self.client = Client()
        self.client.force_login(self.user, backend=_BACKEND)

    def run(self, *texts: str, status: int = 202, **more: Any) -> dict[str, Any]:
        """Run a column for each text, each a draft of one user message."""
        columns = [{"id": chr(97 + n), "typed": typed(text), "base": None} for n, text in enumerate(texts)]
        return self.post(
            "run", {"page": str(self.page), "columns": columns, "values": {}} | more, status=status
        )

    def post(self, route: str, body: dict[str, Any], *, status: int = 202, **kwargs: Any) -> dict[str, Any]:
        response = self.client.post(
            self._address(route, **kwargs),
            data=json.dumps(body),
            content_type="application/json",
            headers={"accept": "application/json"},
        )
        assert response.status_code == status, response.content
        answer: dict[str, Any] = response.json()
        return answer

    def stop(self, call_id: str) -> dict[str, Any]:
        path = reverse("workbench:call-stop", args=(self.project.slug, call_id))
        answer: dict[str, Any] = self.client.post(path).json()
        return answer

    def calls(self) -> list[str]:
        """The ids of the page's calls that the server tells a reloaded page of."""
        answer = self.client.get(self._address("calls"), {"page": str(self.page)}).json()
        return [call["id"] for call in answer["calls"]]

    def follow(self, *, last_id: str = "", page: UUID | None = None) -> EventClient:
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in self.client.cookies.items())
        address = f"{self.url}{self._address('stream')}?page={page or self.page}"
        return EventClient(address, cookie=cookie, last_id=last_id)

    def _address(self, route: str, **kwargs: Any) -> str:
        return reverse(f"workbench:{route}", args=(self.project.slug, kwargs.get("slug", self.prompt.slug)))


def open_page(project: Project, url: str = "", role: Role = Role.EDITOR) -> PageOfPerson:
    """A new member of the project, at a new prompt's page."""
    prompt = prompt_create(project=project, by=SYSTEM, name=f"Prompt {uuid4().hex[:8]}")
    return PageOfPerson(project, prompt, make_member(project, role), url)


def text_of(events: list[dict[str, Any]], call_id: str) -> str:
    return "".join(event["text"] for event in events if event["call"] == call_id and event["type"] == "text")
