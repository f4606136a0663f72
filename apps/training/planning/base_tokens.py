"""The tokenizer of a job's base, wherever the base is: only its small files are fetched."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage

from apps.feedback.training_sets.recipe import EMBEDDED
from apps.feedback.training_sets.tokens import counter_for
from apps.providers.local_model.folder import LocalModelUnavailable, is_prepared, model_folder
from apps.providers.local_model.weights import base_folder
from apps.training.models import FineTuningJob, ModelVersion
from apps.training.planning.bases import whole_version
from apps.training.planning.chat_tokens import ChatTokenizer, EstimatedTokens, Tokens

log = logging.getLogger(__name__)
_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
#: What the files of a folder may be like; the trainer says of the base what is wrong with them.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError)


def tokens_of_base(job: FineTuningJob) -> Tokens:
    """The estimate where the tokenizer is not on this machine, or the provider keeps it."""
    try:
        return _of(job.base, job)
    except (LocalModelUnavailable, ModelVersion.DoesNotExist, *_UNREADABLE) as error:
        log.warning("Tokens of job %s are estimated: %s", job.pk, error)
        return EstimatedTokens()


def _of(base: dict[str, Any], job: FineTuningJob) -> Tokens:
    if base["kind"] == "embedded":
        return _embedded()
    if base["kind"] == "folder":
        return ChatTokenizer(base_folder(base["name"]), base["name"])
    if base["kind"] == "version":
        version = ModelVersion.objects.select_related("base").get(project=job.project, pk=base["id"])
        return _of_version(whole_version(version))
    return EstimatedTokens()


def _of_version(version: ModelVersion) -> Tokens:
    if version.source == ModelVersion.Source.EMBEDDED:
        return _embedded()
    if version.source == ModelVersion.Source.FOLDER:
        return ChatTokenizer(base_folder(version.location), version.full_name)
    with tempfile.TemporaryDirectory() as folder:
        for file in version.files.filter(path__in=_FILES):
            with default_storage.open(file.stored_as) as stored:
                (Path(folder) / file.path).write_bytes(stored.read())
        return ChatTokenizer(Path(folder), version.full_name)


def _embedded() -> Tokens:
    counter_for(EMBEDDED)  # converts the model where it never was, in a process of its own
    if not is_prepared(settings.STACK.models):
        return EstimatedTokens()
    return ChatTokenizer(model_folder(settings.STACK.models).path, "the embedded model (SmolLM2)")
