"""A hosted job from its start to its version: each move may die anywhere, and the next one goes on.

What was sent to the provider is noted in `job.hosted` as soon as it answers. A worker that dies between the
two leaves a file or a job behind that nobody noted: so each move looks for them there, by the file's name and
the job's metadata, before it sends anything.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from apps.core.errors import ProductError
from apps.providers.models import Provider
from apps.providers.protocol import ProviderError
from apps.providers.services import provider_connection
from apps.training.hosted.api import FineTuningApi, Json
from apps.training.hosted.arguments import job_arguments
from apps.training.hosted.costs import training_cost_usd
from apps.training.hosted.ending import cancelled, completed, failed, kept_of
from apps.training.hosted.following import events_record
from apps.training.hosted.holding import claim, look_again
from apps.training.hosted.openai_files import OpenAIFile, write_openai_files
from apps.training.models import FineTuningJob
from apps.training.running.claiming import Keeper, fenced, hold
from apps.training.running.errors import JobFailure, LeaseLost
from apps.training.splits import TRAIN, VALIDATION

log = logging.getLogger(__name__)

#: Providers train for minutes to hours.
LOOK_EVERY_S = 15.0
_LONGEST_WAIT_S = 600.0
#: A provider that was away so long without a break: somebody must look.
GIVE_UP_AFTER = timedelta(hours=24)
_DAY_S = 86_400
Status = FineTuningJob.Status


def hosted_job_move(*, job_id: UUID, worker: str) -> None:
    """Take the job one step on, and have it looked at again until it is over. Safe to call at any time."""
    job = claim(job_id, worker)
    if job is None:
        return
    try:
        with Keeper(job) as keeper:
            wait_s = _moved(job, keeper)
        if wait_s is not None:
            look_again(job, after_s=wait_s)
    except LeaseLost:
        log.warning("The hosted job %s was taken over by another worker or ended meanwhile.", job.pk)
    except JobFailure as failure:
        failed(job, failure)
    except ProductError as error:
        failed(job, JobFailure("other", error.detail))
    except ProviderError as error:
        _trouble(job, error)
    except (OperationalError, InterfaceError):
        raise  # no fault of the job's: it is looked at again
    except Exception as error:  # else it would be tried for ever
        log.exception("The hosted job %s failed", job.pk)
        failed(job, JobFailure("other", f"The worker could not go on: {type(error).__name__}."))


def _moved(job: FineTuningJob, keeper: Keeper) -> float | None:
    """Seconds until the next look; None when the job is over."""
    if job.status == Status.REGISTERING:
        completed(job)
        return None
    api = FineTuningApi(provider_connection(_provider(job)))
    if not job.hosted.get("job") and not _sent(job, api, keeper):
        cancelled(job, "Cancelled before the provider had it.")
        return None
    return _followed(job, api, _seen(job, api, keeper), keep=keeper.asked == "keep")


def _seen(job: FineTuningJob, api: FineTuningApi, keeper: Keeper) -> Json:
    """The job as the provider sees it, after it was told that somebody wants to stop."""
    if keeper.asked:
        try:
            return api.cancel(job.hosted["job"])
        except ProviderError as error:
            if error.retryable:
                raise  # a job that is over already cannot be cancelled: look what became of it
    return api.job(job.hosted["job"])


def _provider(job: FineTuningJob) -> Provider:
    if job.provider is None or job.provider.archived_at is not None:
        raise JobFailure(
            "provider",
            "The provider of this job is archived.",
            ("Plan the job anew with another provider.",),
        )
    return job.provider


def _sent(job: FineTuningJob, api: FineTuningApi, keeper: Keeper) -> bool:
    """The provider has files and job; False where somebody cancelled before it had the job."""
    since = int(job.created_at.timestamp()) - _DAY_S
    with TemporaryDirectory(prefix="llmops-hosted-") as folder:
        files, data_hash = write_openai_files(job, Path(folder))
        hold(job, data_hash=data_hash, progress={**job.progress, "stage": "uploading"})
        ids = {file.part: _file_there(job, api, file, since, keeper) for file in files}
    found = api.find_job(
        reference=str(job.pk),
        training_file=ids[TRAIN],
        not_these=job.hosted.get("earlier", []),
        since=since,
    )
    if not found and keeper.asked:
        return False
    keeper.check()
    found = found or api.create_job(**job_arguments(job, ids[TRAIN], ids.get(VALIDATION, "")))
    hold(job, hosted={**job.hosted, "job": found}, progress={**job.progress, "stage": "queued"})
    return True


def _file_there(job: FineTuningJob, api: FineTuningApi, file: OpenAIFile, since: int, keeper: Keeper) -> str:
    """The id of the file there; sent now unless that was done before."""
    known = job.hosted.get("files", {}).get(file.name)
    if known:
        return str(known)
    keeper.check()
    id = api.find_file(file.name, file.path.stat().st_size, since=since) or api.upload(file.path, file.name)
    hold(job, hosted={**job.hosted, "files": {**job.hosted.get("files", {}), file.name: id}})
    return id


def _followed(job: FineTuningJob, api: FineTuningApi, found: Json, *, keep: bool) -> float | None:
    """Write down what is new, and what to do by the provider's status."""
    _write_events(job, api, found)
    status = found.get("status")
    if status == "succeeded":
        _made(job, str(found.get("fine_tuned_model") or ""), found, keep=False)
        return None
    if status == "failed":
        hold(job, hosted={**job.hosted, "ended": "failed"})
        raise _told_failure(found)
    if status == "cancelled":
        hold(job, hosted={**job.hosted, "ended": "cancelled"})
        model = kept_of(api.last_checkpoint(job.hosted["job"])) if keep else ""
        if model:
            _made(job, model, found, keep=True)
        else:
            cancelled(job, _why_cancelled(job, keep=keep))
        return None
    return LOOK_EVERY_S


def _write_events(job: FineTuningJob, api: FineTuningApi, found: Json) -> None:
    events = api.events_after(job.hosted["job"], job.hosted.get("event", ""))
    with fenced(job):
        progress = events_record(job, events)
        hosted = {
            name: value for name, value in job.hosted.items() if name not in ("trouble_since", "troubles")
        }
        if events:
            hosted["event"] = events[-1].get("id", "")
        hold(
            job,
            hosted=hosted,
            status_reason=_waiting_reason(found),
            progress={**job.progress, **_stage(found), **progress, "seconds_left": _seconds_left(found)},
        )


def _waiting_reason(found: Json) -> str:
    if found.get("status") == "paused":
        return "The provider has paused the job. Resume it there, or cancel it here."
    return ""


def _stage(found: Json) -> dict[str, Any]:
    status = str(found.get("status", ""))
    return {"stage": {"validating_files": "checking", "running": "training"}.get(status, status)[:40]}


def _seconds_left(found: Json) -> float | None:
    finish = found.get("estimated_finish")
    if not isinstance(finish, int | float) or not 0 < finish < 2**33:  # JSON may say "Infinity"
        return None
    return max(0.0, finish - time.time())


def _made(job: FineTuningJob, model: str, found: Json, *, keep: bool) -> None:
    """The provider has made the model: note it and its cost, then register it."""
    if not model:
        raise JobFailure("provider", "The provider says that it is done, but names no model.")
    tokens = found.get("trained_tokens")
    tokens = tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else None
    base_url = _provider(job).base_url
    hold(
        job,
        status=Status.REGISTERING,
        hosted={**job.hosted, "model": model, "trained_tokens": tokens, "kept": keep},
        cost_usd=training_cost_usd(str(job.base.get("model")), base_url=base_url, trained_tokens=tokens),
    )
    completed(job)


def _told_failure(found: Json) -> JobFailure:
    error = found.get("error")
    error = error if isinstance(error, dict) else {}
    said = str(error.get("message") or "The provider gave no reason.")
    advice = (
        ("Look at the rows in the preview; the provider refused the file.",)
        if "file" in str(error.get("param") or "") + str(error.get("code") or "")
        else ("Read the log below; then start it again, or plan it with other settings.",)
    )
    return JobFailure("provider", f"The provider could not train the model. It said: {said[:1000]}", advice)


def _why_cancelled(job: FineTuningJob, *, keep: bool) -> str:
    if keep:
        return "Stopped before the provider had kept anything that could be registered."
    return "Cancelled." if job.stop_requested else "Cancelled at the provider."


def _trouble(job: FineTuningJob, error: ProviderError) -> None:
    """A provider that is away is asked again, more and more seldom; one that refuses ends the job."""
    now = timezone.now()
    since = datetime.fromisoformat(job.hosted.get("trouble_since") or now.isoformat())
    if not error.retryable or now - since > GIVE_UP_AFTER:
        failed(job, JobFailure("provider", error.message, _advice(error)))
        return
    troubles = int(job.hosted.get("troubles", 0)) + 1
    wait_s = max(min(LOOK_EVERY_S * 2**troubles, _LONGEST_WAIT_S), error.retry_after_s or 0.0)
    try:
        hold(
            job,
            hosted={**job.hosted, "trouble_since": since.isoformat(), "troubles": troubles},
            status_reason=f"{error.message} Tried again in {wait_s:.0f} seconds."[:2000],
        )
    except LeaseLost:
        return
    look_again(job, after_s=wait_s)


def _advice(error: ProviderError) -> tuple[str, ...]:
    if error.status == 404:
        return (
            "Does this provider have the fine-tuning API (files and fine_tuning/jobs)? Most self-hosted "
            "servers have not: train an adapter here instead.",
        )
    return ("Test the provider's connection, then let the job go on.",)
