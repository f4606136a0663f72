"""Drafts of fine-tuning jobs: what a worker finds in the data, what stands in the way, and starting."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core.errors import InvalidInput
from apps.core.models import AuditEvent
from apps.datasets.importers.mapping import Mapping as Columns
from apps.feedback.models import TrainingSet
from apps.training.models import FineTuningJob
from apps.training.planning import checking, services
from apps.training.planning.base_tokens import tokens_of_base
from apps.training.planning.chat_tokens import EstimatedTokens
from apps.training.planning.errors import ChecksFailed, JobStarted
from apps.training.planning.judging import problems_of
from apps.training.planning.situations import row_counts
from tests.factories.core import SYSTEM
from tests.factories.datasets import import_rows, make_dataset
from tests.factories.evaluations import make_dataset_version, make_evaluator_version, make_run
from tests.factories.prompts import make_prompt, make_version
from tests.factories.training import make_training_version, trl_row
from tests.planned_jobs import BASE, checked, draft

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.xdist_group("trainers"),
    pytest.mark.usefixtures("base_folder"),
]
Status = FineTuningJob.Status


def named(job):
    return {problem.name: problem.weight for problem in problems_of(job)}


def rows_version(project, rows, name="Rows"):
    """Rows of (prompt, columns, split)."""
    dataset = make_dataset(project, name)
    written = [
        {
            "prompt": [{"role": "user", "content": asked}],
            "reference": {
                column: text if column == "label" else [{"role": "assistant", "content": text}]
                for column, text in learned.items()
            },
            "key": f"row-{place}",
            "split": split,
        }
        for place, (asked, learned, split) in enumerate(rows)
    ]
    import_rows(dataset, written, mapping=Columns(["prompt"], "reference", key="key", split="split"))
    return dataset.versions.get(number=1)


@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
def test_the_preview_marks_what_the_trainer_learns_from(project, method, base_folder):
    from transformers import AutoTokenizer

    job = checked(draft(project, make_training_version(project, method)))
    assert (job.method, job.technique, job.checks["state"]) == (method, "lora", "done")
    assert job.checks["counts"]["rows"] == {"train": 12, "validation": 4}
    assert job.checks["lengths"]["exact"]
    assert job.sample_prompts[0] == trl_row(method, 13)["prompt"]
    [row] = [row for row in job.checks["rows"] if row["key"] == "row-0"]
    learned = [
        name for name in ("completion", "chosen", "rejected") if name in trl_row(method, 1)["reference"]
    ]
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    for side, name in zip(row["sides"], learned, strict=True):
        wanted = trl_row(method, 1)
        messages = [*wanted["prompt"], *wanted["reference"][name]]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        assert "".join(span for span, _ in side["spans"]) == text
        [trained] = [span for span, kind in side["spans"] if kind == "trained"]
        assert trained.startswith(messages[-1]["content"])
        assert side["tokens"] == len(tokenizer(text, add_special_tokens=False)["input_ids"])
        assert side["trained_tokens"] == len(tokenizer(trained, add_special_tokens=False)["input_ids"])


def test_what_is_wrong_with_labels_is_said(project):
    up, down = (
        {"completion": "Write to us with a photo.", "label": True},
        {"completion": "No.", "label": False},
    )
    turned = up | {"label": False}
    rows = [
        *[(f"How do I return lamp {n}?", up, "train") for n in range(12)],
        ("How do I return lamp 3?", up, "train"),
        ("How do I return lamp 4?", turned, "train"),
        ("How do I return lamp 5?", down, "train"),
        ("How do I return lamp 1?", up, "validation"),
        ("What is it? " * 40, up, "train"),
    ]
    job = checked(
        draft(project, rows_version(project, rows), settings={"max_length": 128, "desirable_weight": 1})
    )
    assert named(job) == {
        "few_rows": "warns",
        "in_validation": "warns",
        "nothing_left": "warns",
        "duplicates": "warns",
        "contradictions": "warns",
    }
    counts = job.checks["counts"]
    assert (counts["good"], counts["bad"], counts["duplicates"], counts["contradictions"]) == (14, 2, 1, 1)
    longest = job.checks["rows"][-1]
    assert [kind for _, kind in longest["sides"][0]["spans"]] == ["read", "cut"]

    job = services.job_update(
        job=job, by=SYSTEM, settings=job.settings | {"undesirable_weight": 1, "batch_size": 1}
    )
    assert job.checks["state"] == "done"  # the rows are the same, so they are not read again
    assert named(job)["unbalanced"] == "warns"
    assert named(job)["batch_of_one"] == "blocks"
    with pytest.raises(ChecksFailed, match="rows of a batch"):
        services.job_ask_start(job=job, by=SYSTEM)


def test_pairs_that_teach_nothing_or_opposites_are_said(project):
    rows = [(f"Question {n}?", {"chosen": f"Yes {n}.", "rejected": "No."}, "train") for n in range(6)]
    rows += [
        ("Question 1?", {"chosen": "No.", "rejected": "Yes 1."}, "train"),
        ("Question 7?", {"chosen": "Same.", "rejected": " same. "}, "train"),
    ]
    job = checked(draft(project, rows_version(project, rows)))
    assert {"contradictions", "same_pair", "no_validation"} <= set(named(job))


def test_one_kind_of_thumb_and_too_few_rows_block(project):
    rows = [("Question?", {"completion": "Yes.", "label": True}, "train")] * 3
    job = checked(draft(project, rows_version(project, rows)))
    assert {name for name, weight in named(job).items() if weight == "blocks"} == {"few_rows", "one_label"}


def test_held_out_rows_that_are_trained_on_are_found_by_what_is_asked(project):
    held_out = make_dataset_version(project, 10)
    prompt = make_version(
        make_prompt(project, "Ask"), "Please answer: {{ question }}", parameters={"model": "fake/x"}
    )
    asked = [example["question"] for example in _inputs(held_out)]
    make_run(project, make_dataset_version(project, 3), prompt_version=prompt)  # asks the same three
    rows = [(f"Please  ANSWER: {text}", {"completion": "Yes."}, "train") for text in asked[:4]]
    rows += [(f"Something else {n}?", {"completion": "Yes."}, "train") for n in range(8)]
    evaluation = {
        "dataset_version": str(held_out.pk),
        "prompt_version": str(prompt.pk),
        "evaluators": [make_evaluator_version(project).evaluator.slug],
    }
    job = checked(draft(project, rows_version(project, rows), evaluation=evaluation))
    [leak] = [leak for leak in job.checks["leaks"] if leak["held_out"]]
    assert (leak["rows"], leak["of"]) == (4, 10)
    assert named(job)["leak_held_out"] == "warns"

    job = services.job_update(job=job, by=SYSTEM, evaluation=evaluation | {"limit": 5})
    assert job.checks["state"] == "pending"
    assert named(checked(job))["leak_held_out"] == "blocks"


def test_a_plain_dataset_is_rendered_by_a_prompt(project):
    version = make_dataset_version(project, 8)
    prompt = make_version(
        make_prompt(project, "Ask"), "Answer: {{ question }}", parameters={"model": "fake/x"}
    )
    job = checked(draft(project, version, prompt_version=prompt))
    assert job.method == "sft"
    assert job.checks["counts"]["rows"]["train"] == 8
    assert job.checks["rows"][0]["sides"][0]["spans"][0][0].startswith("<|im_start|>user\nAnswer: ")
    make_run(project, version, prompt_version=prompt)
    services.job_check_again(job=job)
    assert named(checked(job))["leak"] == "warns"


def _inputs(version):
    from apps.datasets.selectors import examples_of

    return [example.inputs for example in examples_of(version)]


def test_it_starts_when_its_checks_are_through(project):
    job = draft(project, make_training_version(project))
    waits = services.job_ask_start(job=job, by=SYSTEM)
    assert (waits.status, waits.checks["state"]) == (Status.DRAFT, "pending")
    assert checked(job).status == Status.PENDING
    assert AuditEvent.objects.filter(project=project, action="fine_tuning_job.start").count() == 1
    assert checking.check_run(job_id=job.pk) is None
    with pytest.raises(JobStarted):
        services.job_update(job=job, by=SYSTEM, name="Other")

    blocked = draft(project, rows_version(project, [("Why?", {"completion": "So."}, "train")]))
    services.job_ask_start(job=blocked, by=SYSTEM)
    assert checked(blocked).status == Status.DRAFT
    assert "at least 4 are needed" in blocked.status_reason
    assert services.job_update(job=blocked, by=SYSTEM, settings=blocked.settings).status_reason == ""


def test_no_sample_prompts_can_be_chosen(project):
    version = make_training_version(project)
    found = checked(draft(project, version))
    assert found.sample_prompts
    without = services.job_update(job=found, by=SYSTEM, sample_prompts=[])
    assert checked(services.job_check_again(job=without)).sample_prompts == []
    assert checked(draft(project, version, sample_prompts=[])).sample_prompts == []


def test_patience_without_validation_rows_is_said_to_do_nothing(project):
    version = make_training_version(project, validation=0)
    patient = checked(draft(project, version, settings={"early_stopping": 2}))
    assert named(patient)["patience_unmeasured"] == "warns"
    assert "patience_unmeasured" not in named(checked(draft(project, version)))


def test_presets_count_rows_as_the_checks_do(project):
    names = ("train", "Train", "valid", "VALID", "test", "")
    rows = [(f"Question {n} {name}?", {"completion": "Yes."}, name) for name in names for n in range(3)]
    version = rows_version(project, rows)
    assert row_counts(version) == (6, 6)
    assert checked(draft(project, version)).checks["counts"]["rows"] == {"train": 6, "validation": 6}
    unnamed = rows_version(project, [row for row in rows if row[2] in ("", "valid")], "Unnamed")
    assert row_counts(unnamed) == (3, 3)


def test_a_training_set_is_all_the_rows_there_are(project):
    version, other = make_training_version(project), make_training_version(project)
    frozen = TrainingSet.objects.create(
        project=project, number=1, name="Corrections", method="sft", dataset_version=version
    )
    prompt = make_version(make_prompt(project, "Ask"), "{{ question }}", parameters={"model": "fake/x"})
    for asked, field in (({"prompt_version": prompt}, "prompt_version"), ({}, "dataset_version")):
        with pytest.raises(InvalidInput) as refused:
            services.job_create(
                project=project,
                by=SYSTEM,
                name="Tone",
                base=BASE,
                training_set=frozen,
                dataset_version=version if asked else other,
                **asked,
            )
        assert field in refused.value.fields
    job = draft(project, version, training_set=frozen)
    renamed = services.job_update(job=job, by=SYSTEM, name="Better tone")
    copied = services.job_copy(job=renamed, by=SYSTEM)
    assert (copied.name, copied.training_set, copied.dataset_version) == ("Better tone", frozen, version)


def test_checks_of_a_draft_that_was_changed_meanwhile_are_not_kept(project, monkeypatch):
    job = draft(project, make_training_version(project))

    def changed_meanwhile(checked_job):
        services.job_update(job=job, by=SYSTEM, settings=job.settings | {"max_length": 40})
        return tokens_of_base(checked_job)

    monkeypatch.setattr(checking, "tokens_of_base", changed_meanwhile)
    assert checking.check_run(job_id=job.pk) is None
    job.refresh_from_db()
    assert job.checks["state"] == "pending"
    monkeypatch.undo()
    assert checked(job).checks["counts"]["truncated"]


def its_worker_dies(job):
    assert checking._claim(job.pk) is not None
    assert checking._claim(job.pk) is None
    FineTuningJob.objects.filter(pk=job.pk).update(checks_until=timezone.now() - timedelta(seconds=1))
    assert services.checks_sweep() == 1
    assert services.checks_sweep() == 0


def test_checks_whose_worker_died_are_made_by_the_next_one(project):
    job = draft(project, make_training_version(project))
    its_worker_dies(job)
    assert checked(job).checks["state"] == "done"


def test_checks_are_given_up_after_three_workers(project):
    job = draft(project, make_training_version(project))
    services.job_ask_start(job=job, by=SYSTEM)
    for _ in range(checking.MOST_TRIES):
        its_worker_dies(job)
    assert checked(job).checks["state"] == "failed"
    assert "3 workers in a row were lost" in job.checks["reason"]
    assert job.status_reason.startswith("It was not started: 3 workers")
    assert services.checks_sweep() == 0


def test_checks_that_fail_otherwise_than_foreseen_say_so(project, monkeypatch):
    job = draft(project, make_training_version(project))

    def broken(job):
        raise RuntimeError("odd\x00 row")

    monkeypatch.setattr(checking, "rows_of", broken)
    assert checked(job).checks["state"] == "failed"
    assert job.checks["reason"] == "The worker could not check the rows: RuntimeError: odd row"
    assert job.checks_until is None
    monkeypatch.undo()
    assert checked(services.job_check_again(job=job)).checks["state"] == "done"


def test_a_base_without_its_tokenizer_here_is_estimated(project, settings, tmp_path):
    job = draft(project, make_training_version(project))
    settings.BASE_MODELS_DIR = tmp_path
    assert isinstance(tokens_of_base(job), EstimatedTokens)
    assert not checked(job).checks["lengths"]["exact"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"base": {"kind": "folder", "name": "../secrets"}}, "base"),
        ({"base": {"kind": "version", "id": "01900000-0000-7000-8000-000000000000"}}, "base"),
        ({"base": {"kind": "hosted", "provider": "nobody", "model": "gpt"}}, "base"),
        ({"name": " … "}, "name"),
        ({"method": "ppo"}, "method"),
        ({"technique": "hosted"}, "technique"),
        ({"preset": "wild"}, "preset"),
        ({"settings": {"epochs": -1}}, "epochs"),
        ({"evaluation": {"dataset_version": "x"}}, "dataset_version"),
        ({"sample_prompts": [[{"role": "assistant", "content": "Hi"}]]}, "sample_prompts"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_its_name(project, asked, field):
    wanted = {"name": "Tone", "base": BASE, "dataset_version": make_training_version(project)} | asked
    with pytest.raises(InvalidInput) as refused:
        services.job_create(project=project, by=SYSTEM, **wanted)
    assert field in refused.value.fields
