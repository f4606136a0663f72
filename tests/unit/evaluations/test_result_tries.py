"""What a result's page says of the tries that failed before it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import ItemAttempt
from tests.factories.evaluations import make_dataset_version, make_run

pytestmark = pytest.mark.django_db


def test_tries_that_failed_are_told_with_their_reason_and_the_wait(
    project: Project, client_as: Callable[[Role], Client]
) -> None:
    run = make_run(project, make_dataset_version(project, 1), outputs=["one"])
    item = run.items.get()
    ItemAttempt.objects.create(
        item=item,
        number=1,
        started_at=timezone.now(),
        duration_ms=51.2,
        error_kind="rate_limited",
        error="<b>Slow</b> down.",
        status_code=429,
        retry_after_s=3,
    )

    address = reverse("evaluations:run-result", args=[project.slug, run.number, item.pk])
    page = client_as(Role.VIEWER).get(address).content.decode()

    assert "Tries that failed" in page
    assert "(429)" in page
    assert "51 ms" in page
    assert "&lt;b&gt;Slow&lt;/b&gt; down." in page
    assert "asked to wait 3" in page


def test_a_kept_answer_says_that_nothing_was_sent(
    project: Project, client_as: Callable[[Role], Client]
) -> None:
    run = make_run(project, make_dataset_version(project, 1), outputs=["one"])
    run.items.update(cached=True)

    address = reverse("evaluations:run-result", args=[project.slug, run.number, run.items.get().pk])

    assert "kept from an earlier call" in client_as(Role.VIEWER).get(address).content.decode()
