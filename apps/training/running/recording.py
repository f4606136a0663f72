"""Events of a trainer become rows, a batch in one transaction, and only while the job is ours."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.db.models import F

from apps.training.models import FineTuningJob, LogLine, MetricPoint, SampleOutput
from apps.training.running.claiming import fenced, hold
from apps.training.running.errors import LeaseLost
from apps.training.running.reading import Event

log = logging.getLogger(__name__)
#: The page shows a log's tail; older lines leave, so that a long training does not fill the database.
MOST_LOG_LINES = 5_000
_LOG_SLACK = 500
_STAGES = {
    "loading": "Loading the base model.",
    "tokenizing": "Turning the rows into tokens.",
    "sampling": "Answering the fixed prompts.",
    "training": "Training.",
    "saving": "Saving the weights.",
}
_SHOWN = ("tokens_per_second", "memory_bytes")


class Recorder:
    """Writes what one trainer of a job tells. `trial`: 0 for the training itself."""

    def __init__(self, job: FineTuningJob, trial: int = 0) -> None:
        self.job = job
        self.trial = trial
        self._lines = LogLine.objects.filter(job=job).count()
        self._stage = ""

    def record(self, events: Sequence[Event], log: Sequence[str] = (), *, seconds: float = 0.0) -> None:
        """`seconds` of training that passed since the last call. Raises LeaseLost."""
        progress = {**self.job.progress, "trial": self.trial}
        lines = [(text, "info") for text in log]
        for event in events:
            progress |= _progress_of(event)
            lines += self._told(event)
        points = [event for event in events if event["type"] == "point"]
        samples = [event for event in events if event["type"] == "sample"]
        with fenced(self.job):
            if points:
                self._points(points)
            if samples and self.trial == 0:
                self._samples(samples)
            self._log(lines)
            hold(self.job, progress=progress, trained_s=F("trained_s") + seconds)

    def say(self, text: str, level: str = "info") -> None:
        """One line of the job's log. Raises LeaseLost."""
        with fenced(self.job):
            self._log([(text, level)])

    @contextmanager
    def sparing(self, what: str) -> Iterator[None]:
        """For tidying up: the log says `what` went wrong there, and the training goes on. Errors of the
        database and a lease that was lost are of another kind, and pass."""
        try:
            yield
        except (LeaseLost, DatabaseError, InterfaceError):
            raise
        except Exception as error:  # whatever the file store's client raises
            log.warning("%s (job %s)", what, self.job.pk, exc_info=error)
            self.say(f"{what}: {error}", "warning")

    def forget_later(self) -> None:
        """Drop figures of steps after the last of this attempt, which one that was lost has left."""
        with fenced(self.job):
            points = MetricPoint.objects.filter(job=self.job, trial=self.trial)
            last = points.filter(attempt=self.job.attempt).order_by("-step").first()
            if last is not None:
                points.filter(step__gt=last.step).delete()

    def _points(self, events: Sequence[Event]) -> None:
        """Figures of one step come in several events; those of an earlier attempt are replaced as a whole."""
        steps = {int(event["step"]) for event in events}
        known = MetricPoint.objects.filter(
            job=self.job, trial=self.trial, attempt=self.job.attempt, step__in=steps
        )
        found: dict[int, dict[str, Any]] = {point.step: point.values for point in known}
        for event in events:
            values = {"epoch": event.get("epoch"), **(event.get("values") or {})}
            found.setdefault(int(event["step"]), {}).update(_numbers(values))
        MetricPoint.objects.bulk_create(
            [
                MetricPoint(
                    job=self.job, trial=self.trial, step=step, attempt=self.job.attempt, values=found[step]
                )
                for step in sorted(steps)
            ],
            update_conflicts=True,
            unique_fields=["job", "trial", "step"],
            update_fields=["values", "attempt", "at"],
        )

    def _samples(self, events: Sequence[Event]) -> None:
        found = {
            (int(event["step"]), int(event["place"])): str(event.get("output", "")).replace("\x00", "")
            for event in events
        }
        SampleOutput.objects.bulk_create(
            [
                SampleOutput(job=self.job, step=step, place=place, output=output)
                for (step, place), output in sorted(found.items())
            ],
            update_conflicts=True,
            unique_fields=["job", "step", "place"],
            update_fields=["output"],
        )

    def _told(self, event: Event) -> list[tuple[str, str]]:
        """What the log says of an event."""
        name = f"Trial {self.trial}: " if self.trial else ""
        match event["type"]:
            case "stage" if event.get("stage") != self._stage:
                self._stage = str(event.get("stage", ""))
                return [(name + _STAGES.get(self._stage, self._stage), "info")]
            case "start" if (event.get("device") or {}).get("kind") == "cpu" and not self.trial:
                return [("There is no GPU here: the processor trains, which takes longer.", "info")]
            case "warning":
                return [(name + str(event.get("text", "")), "warning")]
            case "failure":
                trace = str(event.get("trace", "")).splitlines()
                return [*((line, "error") for line in trace), (str(event.get("message", "")), "error")]
        return []

    def _log(self, lines: Sequence[tuple[str, str]]) -> None:
        LogLine.objects.bulk_create(
            [
                LogLine(job=self.job, level=level, text=text.replace("\x00", "")[:4_000])
                for text, level in lines
            ]
        )
        self._lines += len(lines)
        if self._lines > MOST_LOG_LINES + _LOG_SLACK:
            newest = LogLine.objects.filter(job=self.job).order_by("-id").values_list("id", flat=True)
            LogLine.objects.filter(job=self.job, id__lt=newest[MOST_LOG_LINES - 1]).delete()
            self._lines = MOST_LOG_LINES


def _progress_of(event: Event) -> dict[str, Any]:
    match event["type"]:
        case "stage":
            return {"stage": event.get("stage", "")}
        case "start":
            names = ("steps", "parameters", "trained_parameters", "truncated", "rows", "dtype")
            device = event.get("device") or {}
            told = {"device": device.get("kind", ""), "device_name": device.get("name", "")}
            return {**told, **{name: event[name] for name in names if name in event}}
        case "point":
            values = _numbers(event.get("values") or {})
            shown = {name: values[name] for name in _SHOWN if name in values}
            whole = {"step": int(event["step"]), "epoch": event.get("epoch"), **shown}
            return whole | _numbers({"seconds_left": event.get("seconds_left")})
        case "end":
            return {"seconds_left": 0}
    return {}


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    """JSON in the database knows no NaN and no infinity: such figures are left out."""
    return {
        name: value
        for name, value in values.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }
