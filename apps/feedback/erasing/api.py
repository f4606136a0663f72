"""REST: erasing a person."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ProjectAPIView, SafeCharField
from apps.core.roles import Role
from apps.feedback.erasing.people import ANNOTATOR, END_USER, LONGEST, person_find
from apps.feedback.erasing.selectors import Judgements, judgements_of
from apps.feedback.erasing.services import MOST_AT_ONCE, person_erase


class SubjectEraseRequestSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=[END_USER, ANNOTATOR], default=END_USER, required=False)
    who = SafeCharField(
        max_length=LONGEST,
        help_text="The application's name of an end user; an annotator's e-mail address, or rater.",
    )
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Only say what would go, and which training sets used it."
    )


class ErasedSetSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.CharField()
    dataset = serializers.CharField(allow_null=True)
    dataset_version = serializers.IntegerField(allow_null=True)


class SubjectErasedSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=["found", "erasing", "erased"])
    counts = serializers.DictField(child=serializers.IntegerField())
    training_sets = ErasedSetSerializer(many=True)


class SubjectEraseView(ProjectAPIView):
    """`/subjects/erase/`"""

    roles = {"POST": Role.ADMIN}

    @extend_schema(
        operation_id="subject_erase",
        request=SubjectEraseRequestSerializer,
        responses={200: SubjectErasedSerializer},
    )
    def post(self, request: Request) -> Response:
        """Erase a person's feedback, annotations, votes and scores, and their name on traces.

        Frozen training sets stay as they are and are listed; lineage says "an erased person". The name is in
        the body, so that it stands in no log. Safe to repeat.
        """
        given = SubjectEraseRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        asked = given.validated_data
        person = person_find(project=self.project, kind=asked["kind"], who=asked["who"])
        if asked["dry_run"]:
            return Response(_told("found", judgements_of(self.project, person)))
        found = person_erase(project=self.project, by=self.actor, person=person)
        later = found.counts["annotations"] > MOST_AT_ONCE
        return Response(_told("erasing" if later else "erased", found))


def _told(state: str, found: Judgements) -> dict[str, Any]:
    sets = [
        {
            "number": each.number,
            "name": each.name,
            "status": each.status,
            "dataset": each.dataset_version.dataset.slug if each.dataset_version else None,
            "dataset_version": each.dataset_version.number if each.dataset_version else None,
        }
        for each in found.training_sets
    ]
    return SubjectErasedSerializer({"state": state, "counts": found.counts, "training_sets": sets}).data
