"""The page that erases a person's judgements: first what would go, then the deed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.feedback.erasing.forms import EraseForm
from apps.feedback.erasing.people import person_find
from apps.feedback.erasing.selectors import Judgements, judgements_of
from apps.feedback.erasing.services import MOST_AT_ONCE, person_erase


@project_view(Role.ADMIN)
def feedback_erase(request: ProjectRequest) -> HttpResponse:
    """The name comes by POST alone, so that it stands in no address and no log."""
    form = EraseForm(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        try:
            person = person_find(project=request.project, **form.cleaned_data)
        except ProductError as error:
            form.add_product_error(error)
        else:
            if request.POST.get("step") == "erase":
                found = person_erase(project=request.project, by=request.actor, person=person)
                later = found.counts["annotations"] > MOST_AT_ONCE
                what = f"{found.total:,} judgements and names"
                said = f"A worker takes away {what} now." if later else f"Erased: {what} are gone."
                messages.success(request, said)
                page = reverse("feedback:feedback-erase", args=[request.project.slug])
                sets = _sets_asked(found)
                return redirect(f"{page}?{sets}" if sets else page)
            context["found"] = judgements_of(request.project, person)
            context["sets_asked"] = _sets_asked(context["found"])
    elif request.method == "GET":
        context["sets_asked"] = urlencode({"set": request.GET.getlist("set")[:500]}, doseq=True)
    return render(request, "feedback/erase.html", context, status=400 if form.errors else 200)


def _sets_asked(found: Judgements) -> str:
    """Which training sets, for asking what models were trained on them: numbers, no name."""
    return urlencode({"set": [each.number for each in found.training_sets]}, doseq=True)
