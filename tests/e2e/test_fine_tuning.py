"""From votes to a model that is compared with its base, by hand: form, live page, comparison, registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets.importers.mapping import Mapping
from apps.feedback.models import TrainingSet
from apps.feedback.training_sets import services
from apps.feedback.training_sets.recipe import read_recipe
from apps.training.models import FineTuningJob, ModelVersion
from llmops_web.stack.waiting import wait_until
from tests.e2e.conftest import PATIENCE_MS, PHONE, OpenPage
from tests.factories.core import SYSTEM, make_member, make_project
from tests.factories.datasets import import_bytes, make_dataset
from tests.factories.evaluations import make_evaluator_version
from tests.factories.feedback import make_annotation, make_queue, make_queue_item, make_span
from tests.factories.prompts import make_prompt, make_version
from tests.factories.tiny_model import tiny_model_folder
from tests.live_stack import LiveStack

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("trainers")]

expect.set_options(timeout=PATIENCE_MS)
BASE, PAIRS, STEPS = "tiny-browser", 16, 12
#: Quick on two cores: some steps of a model of some thousand weights.
TYPED = {
    "max_steps": STEPS,
    "batch_size": 2,
    "gradient_accumulation": 1,
    "max_length": 128,
    "lora_r": 4,
    "log_every": 1,
    "save_every": 6,
}


@pytest.fixture
def training_stack(live_stack: LiveStack, monkeypatch: pytest.MonkeyPatch) -> LiveStack:
    live_stack.environment["OMP_NUM_THREADS"] = "1"
    live_stack.start("gpu")
    return live_stack


def test_from_votes_to_a_model_compared_with_its_base(training_stack: LiveStack, open_page: OpenPage) -> None:
    tiny_model_folder(Path(settings.BASE_MODELS_DIR) / BASE)
    project = make_project("Support")
    editor = make_member(project, Role.EDITOR)
    freeze_votes(project)
    held_out(project)
    page = open_page(training_stack.url, user=editor)
    plan_it(page)
    start_it(page)
    watch_it_train(page)
    arrive_at_the_comparison(page)
    read_what_it_was_made_of(page)
    phone = open_page(training_stack.url, user=editor, viewport=PHONE)
    phone.goto("/p/support/fine-tuning/1/")
    expect(phone.locator("#chart-rewards .plot-stage .main-svg").first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def freeze_votes(project: Project) -> None:
    """A frozen set of pairs, each with one vote."""
    queue = make_queue(project, kind="pair")
    for place in range(PAIRS):
        asked = [{"role": "user", "content": f"Question {place}?"}]
        one, other = (make_span(project, messages=asked, output=f"{word} {place}.") for word in ("No", "Yes"))
        make_annotation(make_queue_item(queue, span=one, other_span=other), values={"vote": "second"})
    made = services.training_set_create(
        project=project,
        by=SYSTEM,
        name="Votes",
        method="dpo",
        recipe=read_recipe({"tokenizer": "estimate", "train": 75, "validation": 25, "test": 0}),
    )
    wait_for(made, "previewed")
    services.training_set_freeze(training_set=made, by=SYSTEM)
    wait_for(made, "completed")


def wait_for(training_set: TrainingSet, status: str) -> None:
    """The stack's own workers make it."""
    found = TrainingSet.objects.filter(pk=training_set.pk, status=status)
    wait_until(found.exists, seconds=60, what=f"The training set's state {status}")


def held_out(project: Project) -> None:
    rows = "".join(f"Held out {place}?,Yes {place}.\n" for place in range(6))
    dataset = make_dataset(project, "Held out")
    import_bytes(dataset, "question,answer\n" + rows, "rows.csv", Mapping(["question"], "answer"))
    make_version(make_prompt(project, "Ask"), "{{ question }}", parameters={"max_tokens": 6})
    make_evaluator_version(project, slug="exact-match")


def plan_it(page: Page) -> None:
    page.goto("/p/support/fine-tuning/")
    expect(page.get_by_text("No fine-tuning jobs yet")).to_be_visible()
    page.get_by_role("link", name="New job").first.click()
    pick(page, "Train on", "Votes")
    pick(page, "Base model", BASE)
    page.get_by_label("Name", exact=True).fill("Short answers")
    page.get_by_role("button", name="Go on to settings and checks").click()
    expect(page.locator("#plan-checks")).not_to_contain_text("A worker reads all rows")
    expect(page.locator("#plan-preview")).to_contain_text("Yes")


def start_it(page: Page) -> None:
    for group in page.locator("details.plan-group").all():
        if group.get_attribute("open") is None:
            group.locator("summary").click()
    for name, value in TYPED.items():
        page.locator(f"[name='setting-{name}']").fill(str(value))
    pick(page, "Held-out dataset", "Held out")
    pick(page, "Prompt that both answer", "Ask")
    page.get_by_role("checkbox", name="exact-match").check()
    page.get_by_label("More of them").fill("What is yours?")
    page.get_by_role("button", name="Start the training").click()
    page.wait_for_url("**/fine-tuning/1/")


def watch_it_train(page: Page) -> None:
    """The curves come without a reload, and each chart stays the very element that it was."""
    rewards = page.locator("#chart-rewards .plot-stage")
    expect(rewards.locator(".main-svg").first).to_be_visible()
    rewards.evaluate("element => { element.watched = true; }")
    expect(page.locator("#job-live .run-state")).to_contain_text(f"of {STEPS}")
    expect(page.locator("#job-samples")).to_contain_text("What is yours?")
    expect(page.get_by_text("Registered as")).to_be_visible()
    expect(page.locator("#job-live .run-state")).to_contain_text("Completed")
    assert rewards.evaluate("element => element.watched && element.data[0].x.length") == STEPS
    checkpoints = page.get_by_role("table", name="Checkpoints")
    expect(checkpoints.get_by_role("row")).to_have_count(3)
    expect(checkpoints.get_by_role("link", name="short-answers-v1")).to_have_count(1)
    expect(page.locator(".job-log")).to_contain_text("Training.")
    steps = page.get_by_role("navigation", name="Step whose answers are shown")
    expect(steps.get_by_role("link")).to_have_text(["6", "12"])
    expect(page.get_by_role("region", name="What its result can be made again with")).to_contain_text("trl")


def arrive_at_the_comparison(page: Page) -> None:
    page.wait_for_url(re.compile("/comparisons/1/"), timeout=2 * PATIENCE_MS, wait_until="domcontentloaded")
    expect(page.get_by_role("heading", level=1)).to_contain_text("short-answers-v1 against")


def read_what_it_was_made_of(page: Page) -> None:
    page.goto("/p/support/models/")
    page.get_by_role("link", name="short-answers-v1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("short-answers-v1")
    expect(page.locator("#measurements")).to_contain_text("exact")
    page.get_by_role("link", name="Every row, and who said so").click()
    expect(page.get_by_role("main")).to_contain_text("Question 0?")
    job = FineTuningJob.objects.get()
    assert job.version == ModelVersion.objects.get(name="short-answers")
    assert job.environment["packages"]["trl"]


def pick(page: Page, label: str, part: str) -> None:
    """Choose the option of a select that begins with `part`."""
    select = page.get_by_label(label, exact=True)
    value = select.locator("option", has_text=part).first.get_attribute("value")
    select.select_option(value)
