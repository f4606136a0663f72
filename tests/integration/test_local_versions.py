"""Registered versions through everything that asks the local provider: runs, the workbench, tests, judges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from apps.core.models import Project
from apps.evaluations.engine import driving
from apps.evaluations.engine.calls import Call as RunCall
from apps.evaluations.engine.judging import _of_one_model
from apps.evaluations.models import EvalRun
from apps.prompts.services import prompt_create, prompt_version_create
from apps.providers.connection import LOCAL, ProviderConnection
from apps.providers.connection_tests import connection_test_run, connection_test_start
from apps.providers.local_model import local_engine
from apps.providers.local_model.engine import LocalEngine
from apps.providers.local_model.weights import file_hash, fingerprint_of
from apps.providers.models import Model, ModelWeights
from apps.providers.protocol import CompletionResponse
from apps.providers.services import local_provider_ensure, provider_connection
from apps.workbench.calls.database_threads import threads_end
from apps.workbench.calls.local_batch import local_calls_answer
from apps.workbench.models import Call
from tests.factories.core import SYSTEM, make_project
from tests.factories.driven_runs import make_dataset, make_run
from tests.factories.tiny_model import tiny_adapter_folder, tiny_model_folder
from tests.unit.providers.conftest import chat
from tests.workbench_steps import open_page, typed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("trainers"),
]
NAME = "tone-v1"
WORDS = [f"word{number}" for number in range(5)]


@pytest.fixture
def folders(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One base and two adapters below the folder of base models, and an engine of this test's own."""
    from llmops_web.stack.paths import StackPaths

    settings.BASE_MODELS_DIR = tmp_path / "bases"
    settings.STACK = StackPaths(tmp_path)
    base = tiny_model_folder(tmp_path / "bases" / "base")
    for seed in (1, 2):
        tiny_adapter_folder(tmp_path / "bases" / f"adapter{seed}", base, seed=seed)
    monkeypatch.setattr(driving, "person_waits", lambda queue: False)  # no worker takes what is sent here
    monkeypatch.setattr(LocalEngine, "_shared", LocalEngine(tmp_path / "models"))
    yield tmp_path / "bases"
    threads_end()


def place(folders: Path, name: str) -> tuple[dict[str, Any], str]:
    files: dict[str, dict[str, Any]] = {
        path.name: {"sha256": file_hash(path), "size": path.stat().st_size, "stored_as": ""}
        for path in (folders / name).iterdir()
    }
    fingerprint = fingerprint_of({path: str(file["sha256"]) for path, file in files.items()})
    return {"kind": "folder", "name": name, "files": files}, fingerprint


def serve(project: Project, folders: Path, adapter: str, name: str = NAME) -> Model:
    """A registered version, as the registry writes it."""
    provider = local_provider_ensure(project=project, by=SYSTEM)
    model = Model.objects.create(provider=provider, name=name, context_window=1024)
    base, base_fingerprint = place(folders, "base")
    where, fingerprint = place(folders, adapter)
    ModelWeights.objects.create(
        model=model,
        kind="adapter",
        place=where,
        fingerprint=fingerprint,
        base=base,
        base_fingerprint=base_fingerprint,
    )
    return model


def said(model: Model, *texts: str) -> list[str]:
    engine = local_engine(provider_connection(model.provider))
    results = engine.generate([chat(text, model=model.name, max_tokens=8) for text in texts])
    assert all(isinstance(result, CompletionResponse) for result in results), results
    return [result.text for result in results if isinstance(result, CompletionResponse)]


def start_run(project: Project) -> EvalRun:
    version = prompt_version_create(
        prompt=prompt_create(project=project, by=SYSTEM, name="Say"),
        by=SYSTEM,
        messages=[{"role": "user", "content": "{{ word }}"}],
        parameters={"model": f"local/{NAME}", "temperature": 0, "max_tokens": 8},
    )
    return make_run(make_dataset(project, [f"{word},," for word in WORDS]), version)


def drive(run: EvalRun) -> EvalRun:
    """What a worker of the queue `local` does."""
    for _ in range(10):
        run.refresh_from_db()
        if run.status not in ("pending", "running") or not run.items.filter(status="pending").exists():
            break
        driving.drive_local_run(run.pk, run.driver_token)
    return run


def test_the_same_name_in_two_projects_is_two_models(folders: Path) -> None:
    """Through runs, one by one, and through the workbench, where both are in one batch."""
    projects = [make_project(), make_project()]
    expected = [
        said(serve(project, folders, adapter), *WORDS)
        for project, adapter in zip(projects, ("adapter1", "adapter2"), strict=True)
    ]
    assert all(one != other for one, other in zip(*expected, strict=True))
    for project, words in zip(projects, expected, strict=True):
        run = drive(start_run(project))
        assert [item.output for item in run.items.order_by("position")] == words

    for project in projects:
        page = open_page(project)
        column = {"id": "a", "typed": typed(WORDS[0], f"local/{NAME}", temperature="0", max_tokens="8")}
        page.post("run", {"page": str(page.page), "columns": [{**column, "base": None}]})
    assert local_calls_answer() == 2
    calls = {call.project_id: call for call in Call.objects.all()}
    for project, words in zip(projects, expected, strict=True):
        call = calls[project.pk]
        assert (call.status, call.output, call.cost_usd) == ("completed", words[0], 0)


def test_a_test_of_the_connection_lists_versions_and_calls_one(folders: Path) -> None:
    project = make_project()
    model = serve(project, folders, "adapter1")
    serve(make_project(), folders, "adapter2", name="elsewhere-v1")
    test = connection_test_start(project=project, by=SYSTEM, provider=model.provider, model_name=NAME)
    connection_test_run(test_id=test.pk)
    test.refresh_from_db()
    assert test.status == "ok", test.message
    assert NAME in test.models
    assert "elsewhere-v1" not in test.models
    assert f"{NAME} answered" in test.message


def test_a_version_that_left_fails_the_run_in_words(folders: Path) -> None:
    project = make_project()
    model = serve(project, folders, "adapter1")
    run = start_run(project)
    ModelWeights.objects.filter(model=model).delete()
    drive(run)
    assert not run.items.filter(status__in=("pending", "completed")).exists()
    errors = set(run.items.values_list("error", flat=True))
    assert any(f"no model named {NAME}" in error and "archived or deleted" in error for error in errors)


def test_a_batch_of_judges_calls_is_for_one_model_of_one_provider() -> None:
    connections = [ProviderConnection(provider_id=str(uuid4()), slug="local", kind=LOCAL) for _ in range(2)]
    calls = [
        (connection, RunCall(None, chat("judge " * number, model=name)))  # type: ignore[arg-type]
        for number in range(1, 4)
        for connection in connections
        for name in ("a-v1", "b-v1")
    ]
    batches = list(_of_one_model(calls, 2))
    assert sum(map(len, batches)) == len(calls)
    for batch in batches:
        assert len(batch) <= 2
        assert len({(connection.provider_id, call.request.model) for connection, call in batch}) == 1
