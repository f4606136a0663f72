"""A server on loopback that speaks OpenAI's files and fine-tuning API beside chat completions.

`loopback_fine_tuning` is the fixture. A job goes on by one state whenever somebody looks at it; a test may
hold it (`held`), make it fail (`fails_with`), or lose an answer on its way (`lose_answer_to`): what was asked
for is then done, and nobody hears of it. It refuses what OpenAI refuses: rows in the wrong columns, too few
of them, unknown models, hyperparameters and methods. Tests check its answers against the SDK's own types.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.loopback_provider import Call, LoopbackHandler, LoopbackProvider

Json = dict[str, Any]
FINE_TUNABLE = ("loop-small",)
STATES = ("validating_files", "queued", "running", "succeeded")
STEPS = 6
TOKENS = 12_345
LEAST_ROWS = 10
_HYPERPARAMETERS = {
    "supervised": {"batch_size", "learning_rate_multiplier", "n_epochs"},
    "dpo": {"batch_size", "learning_rate_multiplier", "n_epochs", "beta"},
}
_COLUMNS = {"supervised": {"messages"}, "dpo": {"input", "preferred_output", "non_preferred_output"}}


class Refusal(Exception):
    """An answer with an error status, as the API writes it."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "invalid_request_error", "code": code, "param": param}


@dataclass
class KeptFile:
    id: str
    name: str
    content: bytes
    created_at: int

    def described(self) -> Json:
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "filename": self.name,
            "purpose": "fine-tune",
            "status": "processed",
        }


@dataclass
class KeptJob:
    id: str
    asked: Json
    created_at: int
    status: str = STATES[0]
    error: Json | None = None
    finished_at: int | None = None
    events: list[Json] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled")

    def described(self) -> Json:
        done = self.status == "succeeded"
        suffix = self.asked.get("suffix") or ""
        return {
            "id": self.id,
            "object": "fine_tuning.job",
            "created_at": self.created_at,
            "error": self.error,
            "fine_tuned_model": f"ft:{self.asked['model']}:loop:{suffix}:{self.id[-4:]}" if done else None,
            "finished_at": self.finished_at,
            "hyperparameters": {},
            "model": self.asked["model"],
            "organization_id": "org-loop",
            "result_files": [],
            "seed": self.asked.get("seed") or 1,
            "status": self.status,
            "trained_tokens": TOKENS if done else None,
            "training_file": self.asked["training_file"],
            "validation_file": self.asked.get("validation_file"),
            "estimated_finish": int(time.time()) + 60 if self.status == "running" else None,
            "integrations": [],
            "metadata": self.asked.get("metadata"),
            "method": self.asked.get("method"),
        }

    def checkpoints(self) -> list[Json]:
        """Kept at the end of each half of the steps that were trained."""
        name = f"ft:{self.asked['model']}:loop::{self.id[-4:]}:ckpt-step-"
        steps = sorted({event["data"]["step"] for event in self.events if event["type"] == "metrics"})
        return [
            {
                "id": f"ftckpt-{self.id}-{step}",
                "object": "fine_tuning.job.checkpoint",
                "created_at": self.created_at,
                "fine_tuned_model_checkpoint": f"{name}{step}",
                "fine_tuning_job_id": self.id,
                "metrics": {"step": step, "train_loss": 1.0 / step},
                "step_number": step,
            }
            for step in steps
            if step % (STEPS // 2) == 0
        ][::-1]


class LoopbackFineTuning(LoopbackProvider):
    """The running server; files and jobs in the order in which they came."""

    def __init__(self) -> None:
        self.files: list[KeptFile] = []
        self.jobs: list[KeptJob] = []
        self.held = False
        self.fails_with: Json | None = None
        #: "POST /files", "POST /fine_tuning/jobs": done once, without an answer.
        self.lose_answer_to = ""
        self.page = 2  # small, so that a client has to turn pages
        self._ids = count(1)
        super().__init__()

    @staticmethod
    def handler_class() -> type[LoopbackHandler]:
        return _FineTuningHandler

    def new_id(self, kind: str) -> str:
        return f"{kind}-{next(self._ids):06}"

    def answered(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Json:
        """The JSON for a call below /v1. Raises Refusal."""
        match [method, *path.strip("/").split("/")]:
            case ["POST", "files"]:
                return self._upload(body)
            case ["GET", "files"]:
                return self._listed([file.described() for file in self.files[::-1]], query)
            case ["POST", "fine_tuning", "jobs"]:
                return self._create(body)
            case ["GET", "fine_tuning", "jobs"]:
                return self._listed([job.described() for job in self._wanted_jobs(query)], query)
            case ["GET", "fine_tuning", "jobs", id]:
                return self._looked_at(self._job(id))
            case ["POST", "fine_tuning", "jobs", id, "cancel"]:
                return self._cancelled(self._job(id))
            case ["GET", "fine_tuning", "jobs", id, "events"]:
                return self._listed(self._job(id).events[::-1], query)
            case ["GET", "fine_tuning", "jobs", id, "checkpoints"]:
                return self._listed(self._job(id).checkpoints(), query)
        raise Refusal(404, "Not Found")

    def _upload(self, parts: dict[str, tuple[str, bytes]]) -> Json:
        if parts.get("purpose", ("", b""))[1] != b"fine-tune":
            raise Refusal(400, "purpose must be fine-tune", param="purpose")
        name, content = parts["file"]
        kept = KeptFile(self.new_id("file"), name, content, int(time.time()))
        self.files.append(kept)
        return kept.described()

    def _create(self, asked: Json) -> Json:
        if asked.get("model") not in FINE_TUNABLE:
            message = f"Model {asked.get('model')} is not available for fine-tuning."
            raise Refusal(400, message, code="model_not_available", param="model")
        kind = (asked.get("method") or {}).get("type")
        if kind not in _HYPERPARAMETERS:
            raise Refusal(400, f"Unknown method {kind}.", param="method")
        unknown = set(asked["method"][kind].get("hyperparameters") or {}) - _HYPERPARAMETERS[kind]
        if unknown:
            raise Refusal(400, f"Unknown hyperparameters: {sorted(unknown)}", param="method")
        for name in ("training_file", "validation_file"):
            if (id := asked.get(name)) and id not in {file.id for file in self.files}:
                raise Refusal(400, f"No such file: {id}", param=name)
        job = KeptJob(self.new_id("ftjob"), asked, int(time.time()))
        self.jobs.append(job)
        self._say(job, f"Created fine-tuning job: {job.id}")
        return job.described()

    def _looked_at(self, job: KeptJob) -> Json:
        described = job.described()
        if not job.is_over and not self.held:
            self.go_on(job)
        return described

    def go_on(self, job: KeptJob) -> None:
        """The next state of a job."""
        wrong = self._wrong_rows(job) if job.status == STATES[0] else None
        if error := wrong or (self.fails_with if job.status == "running" else None):
            job.status, job.error, job.finished_at = "failed", error, int(time.time())
            self._say(job, error["message"], level="error")
            return
        job.status = STATES[STATES.index(job.status) + 1]
        if job.status == "running":
            for step in range(1, STEPS + 1):
                self._metrics(job, step)
        if job.status == "succeeded":
            job.finished_at = int(time.time())
            self.models = (*self.models, str(job.described()["fine_tuned_model"]))
        self._say(job, f"The job is {job.status}.")

    def _wrong_rows(self, job: KeptJob) -> Json | None:
        """As the provider finds it when it reads the training file."""
        [file] = [file for file in self.files if file.id == job.asked["training_file"]]
        rows = [json.loads(line) for line in file.content.decode().splitlines()]
        needed = _COLUMNS[job.asked["method"]["type"]]
        message = ""
        if len(rows) < LEAST_ROWS:
            message = f"Training file has {len(rows)} example(s), but must have at least {LEAST_ROWS}."
        elif not all(needed <= row.keys() for row in rows):
            message = f"Each line needs the keys {sorted(needed)}."
        elif "messages" in needed and not all(row["messages"][-1]["role"] == "assistant" for row in rows):
            message = "The last message must be from the assistant."
        if not message:
            return None
        return {"code": "invalid_training_file", "message": message, "param": "training_file"}

    def _cancelled(self, job: KeptJob) -> Json:
        if job.is_over:
            raise Refusal(400, f"Job {job.id} is {job.status} and cannot be cancelled.")
        job.status, job.finished_at = "cancelled", int(time.time())
        for checkpoint in job.checkpoints():
            self.models = (*self.models, checkpoint["fine_tuned_model_checkpoint"])
        self._say(job, "Fine-tuning job cancelled")
        return job.described()

    def _wanted_jobs(self, query: dict[str, list[str]]) -> list[KeptJob]:
        wanted = {
            found[1]: values[0]
            for name, values in query.items()
            if (found := re.match(r"metadata\[(.+)\]", name))
        }
        return [job for job in self.jobs[::-1] if wanted.items() <= (job.asked.get("metadata") or {}).items()]

    def _job(self, id: str) -> KeptJob:
        for job in self.jobs:
            if job.id == id:
                return job
        raise Refusal(404, f"Could not find fine tune: {id}")

    def _listed(self, rows: list[Json], query: dict[str, list[str]]) -> Json:
        ids = [row["id"] for row in rows]
        start = ids.index(query["after"][0]) + 1 if "after" in query else 0
        end = start + min(self.page, int(query.get("limit", ["20"])[0]))
        shown = rows[start:end]
        return {
            "object": "list",
            "data": shown,
            "has_more": end < len(rows),
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
        }

    def _metrics(self, job: KeptJob, step: int) -> None:
        told = {
            "step": step,
            "total_steps": STEPS,
            "train_loss": 1.0 / step,
            "train_mean_token_accuracy": 1 - 0.5 / step,
        }
        self._say(job, f"Step {step}/{STEPS}: training loss={1.0 / step:.2f}", kind="metrics", told=told)

    def _say(
        self, job: KeptJob, text: str, *, level: str = "info", kind: str = "message", told: Any = None
    ) -> None:
        job.events.append(
            {
                "id": self.new_id("ftevent"),
                "object": "fine_tuning.job.event",
                "created_at": int(time.time()),
                "level": level,
                "message": text,
                "type": kind,
                "data": told or {},
            }
        )


class _FineTuningHandler(LoopbackHandler):
    provider: LoopbackFineTuning

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/v1")
        if not path.startswith(("/files", "/fine_tuning")):
            return super()._handle()
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        kind = headers.get("content-type", "")
        body = _multipart(raw, kind) if kind.startswith("multipart/") else json.loads(raw or b"{}")
        behaviour = self.provider.take(Call(self.command, self.path, headers, body))
        if self._misbehave(behaviour):
            return None
        if headers.get("authorization") != f"Bearer {self.provider.api_key}":
            return self._error("401", behaviour)
        try:
            answer = self.provider.answered(self.command, path, parse_qs(parts.query), body)
        except Refusal as refusal:
            return self._json(refusal.status, {"error": refusal.error})
        if self.provider.lose_answer_to == f"{self.command} {path}":
            self.provider.lose_answer_to = ""
            self.close_connection = True
            return None
        return self._json(200, answer)


def _multipart(raw: bytes, kind: str) -> dict[str, tuple[str, bytes]]:
    """Name of each field → its filename and content."""
    boundary = kind.split("boundary=")[1].strip('"').encode()
    found = {}
    for part in raw.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        disposition = head.decode()
        name = re.search(r'name="([^"]+)"', disposition)
        filename = re.search(r'filename="([^"]+)"', disposition)
        assert name is not None
        found[name[1]] = (filename[1] if filename else "", content.removesuffix(b"\r\n"))
    return found


@pytest.fixture
def loopback_fine_tuning() -> Iterator[LoopbackFineTuning]:
    """A server of its own for one test."""
    provider = LoopbackFineTuning()
    yield provider
    provider.stop()
