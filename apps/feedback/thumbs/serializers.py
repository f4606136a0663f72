"""Feedback in REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField
from apps.feedback.models import Feedback
from apps.feedback.thumbs.configuration import MOST_TOKEN_HOURS
from apps.feedback.thumbs.receiving import MOST_COMMENT, MOST_CORRECTION, MOST_REASON, Said
from apps.feedback.thumbs.rules import THUMBS
from apps.feedback.thumbs.tokens import KEYS

MOST_TOKEN_CHARS = 2_000
#: Chosen from by the document's enumeration names, so that other rooms' states keep their own.
STATES = Feedback.State.choices
WORDS = {worth: word for word, worth in THUMBS.items()}


def _thumb_field(**more: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(list(THUMBS), allow_null=True, **more)


class FeedbackGiveSerializer(serializers.Serializer[Any]):
    """What is said, under a token. What is left out stays as it was said before."""

    token = SafeCharField(max_length=MOST_TOKEN_CHARS)
    thumb = _thumb_field(required=False, help_text="null takes the thumb back.")
    reason = SafeCharField(required=False, allow_blank=True, max_length=MOST_REASON)
    comment = SafeCharField(required=False, allow_blank=True, max_length=MOST_COMMENT)
    correction = SafeCharField(required=False, allow_blank=True, max_length=MOST_CORRECTION)
    span_id = serializers.UUIDField(
        required=False, help_text="Refused unless it is the token's; the token alone names the answer."
    )
    user = SafeCharField(
        required=False, max_length=200, help_text="Refused unless the token was made for this user."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            raise serializers.ValidationError(
                {str(unknown[0])[:60]: ["There is no such field. What is judged is looked up by the token."]}
            )
        return attrs

    def said(self) -> Said:
        told = self.validated_data
        thumb = THUMBS.get(told["thumb"], 0) if "thumb" in told else None
        texts = {name: told[name] for name in ("reason", "comment", "correction") if name in told}
        return Said(thumb=thumb, **texts)


class OwnFeedbackSerializer(serializers.Serializer[Any]):
    """What the token's holder has said so far."""

    thumb = _thumb_field()
    reason = serializers.CharField(allow_blank=True)
    comment = serializers.CharField(allow_blank=True)
    correction = serializers.CharField(allow_blank=True)
    revision = serializers.IntegerField(help_text="0 where nothing was said yet.")
    keys = serializers.ListField(
        child=serializers.ChoiceField(KEYS), help_text="What the token allows to say."
    )
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Reasons to choose from.")


class FeedbackTokenCreateSerializer(serializers.Serializer[Any]):
    span_id = serializers.UUIDField()
    user = SafeCharField(max_length=200, help_text="Your own name of the user; only a keyed hash is kept.")
    keys = serializers.ListField(
        child=serializers.ChoiceField(KEYS),
        required=False,
        allow_empty=False,
        max_length=len(KEYS),
        help_text="What may be said; all of it by default.",
    )
    hours = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_TOKEN_HOURS, help_text="By default the project's."
    )


class FeedbackTokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()


class FeedbackSerializer(serializers.Serializer[Any]):
    """A user's word on an answer."""

    id = serializers.UUIDField()
    span_id = serializers.UUIDField()
    prompt = serializers.CharField(allow_null=True, help_text="The prompt's slug.")
    prompt_version = serializers.IntegerField(allow_null=True)
    model_name = serializers.CharField(allow_blank=True)
    subject = serializers.CharField(help_text="Who said it, as a keyed hash.")
    thumb = _thumb_field()
    reason = serializers.CharField(allow_blank=True)
    comment = serializers.CharField(allow_blank=True)
    correction = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(STATES)
    flags = serializers.ListField(child=serializers.ChoiceField(Feedback.Flag.choices))
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


class FeedbackPageSerializer(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = FeedbackSerializer(many=True)


def own_as_json(given: Feedback | None, *, keys: Any, reasons: Any) -> dict[str, Any]:
    return {
        "thumb": WORDS.get(given.thumb or 0) if given else None,
        "reason": given.reason if given else "",
        "comment": given.comment if given else "",
        "correction": given.correction if given else "",
        "revision": given.revision if given else 0,
        "keys": list(keys),
        "reasons": list(reasons),
    }


def feedback_as_json(given: Feedback) -> dict[str, Any]:
    """`given` comes with prompt and prompt version."""
    own = own_as_json(given, keys=(), reasons=())
    return {
        **{name: own[name] for name in ("thumb", "reason", "comment", "correction")},
        "id": given.pk,
        "span_id": given.span_id,
        "prompt": given.prompt.slug if given.prompt else None,
        "prompt_version": given.prompt_version.number if given.prompt_version else None,
        "model_name": given.model_name,
        "subject": given.subject,
        "state": given.state,
        "flags": given.flags,
        "created_at": given.created_at,
        "changed_at": given.changed_at,
    }
