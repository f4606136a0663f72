"""A talk with a prompt, turn by turn."""

from __future__ import annotations

from django.db import models

from apps.core.models import AuthoredModel, ProjectRow, UuidModel
from apps.prompts.models import Prompt

from .call import Call


class Conversation(ProjectRow, AuthoredModel):
    """`policy` is what happens when the context window is full; `window` is its size in tokens where a person
    typed it, None for what the model's own says.

    `summary` is what a model made of the turns below `summary_until`: it is sent in their place.
    `revision` counts the changes to its turns: whoever adds one says which state was seen.
    """

    class Policy(models.TextChoices):
        REFUSE = "refuse", "Refuse, and say so"
        DROP_OLDEST = "drop_oldest", "Leave out the oldest turns"
        KEEP_LAST = "keep_last", "Keep the system messages and the last turns"
        SUMMARISE = "summarise", "Have a model summarise the older turns"

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=120, blank=True)
    policy = models.CharField(max_length=12, choices=Policy.choices, default=Policy.REFUSE)
    keep_last = models.PositiveSmallIntegerField(default=4)
    window = models.PositiveIntegerField(null=True)
    summary_model = models.CharField(max_length=200, blank=True)
    summary = models.TextField(blank=True)
    summary_until = models.PositiveIntegerField(default=0)
    summary_call = models.ForeignKey(Call, null=True, on_delete=models.SET_NULL, related_name="+")
    revision = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = (models.Index(fields=("prompt", "-id"), name="workbench_talk_of_prompt"),)


class Turn(UuidModel):
    """One message of the talk. An assistant's turn has the call that answers it, which holds what it says.

    `waits_for` is the summary that has to be there before the call can be made; `asked` then holds what the
    call will be made of. `left_out` counts the earlier turns that were not sent with this one's call, `error`
    says why there is no call.
    """

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"
        TOOL = "tool"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    position = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=Role.choices)
    content = models.TextField(blank=True)
    tool_call_id = models.CharField(max_length=200, blank=True)
    call = models.OneToOneField(Call, null=True, on_delete=models.SET_NULL, related_name="turn")
    waits_for = models.ForeignKey(Call, null=True, on_delete=models.SET_NULL, related_name="waiting_turns")
    asked = models.JSONField(default=dict)
    left_out = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("conversation", "position"), name="one_turn_per_position"),
        )
