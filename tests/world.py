"""One project with one of everything, for tests that walk every address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from apps.core.models import ApiKey, Membership, OneTimeLink, Project, ProjectWebhook, new_id
from apps.core.people import member_invite
from apps.core.roles import Role
from apps.core.webhooks import webhook_create, webhook_test
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import Dataset, DatasetImport, Example
from apps.datasets.services.drafts import draft_example_save
from apps.evaluations.models import Comparison, EvalRun, Evaluator, RowComment
from apps.feedback.models import Annotation, Feedback, PairImport, TrainingSet
from apps.feedback.training_sets.freezing import freeze_run
from apps.feedback.training_sets.previewing import preview_run
from apps.feedback.training_sets.recipe import read_recipe
from apps.feedback.training_sets.services import training_set_create, training_set_freeze
from apps.prompts.label_services import label_set
from apps.prompts.models import Prompt
from apps.providers.models import ConnectionTest, Provider
from apps.providers.services import ProviderSettings, provider_create
from apps.training.models import FineTuningJob, ModelVersion, RegistryWork
from apps.training.planning.catalogue import defaults_for
from apps.workbench.models import Call, Conversation, Trial
from tests.factories.core import make_api_key, make_member, make_project
from tests.factories.datasets import import_bytes, make_dataset
from tests.factories.evaluations import make_comparison, make_evaluator_version, make_run
from tests.factories.feedback import make_annotation, make_feedback, make_queue, make_queue_item, make_span
from tests.factories.measuring import make_measurement
from tests.factories.prompts import SYSTEM, make_prompt, make_version
from tests.factories.training import make_checkpoint, make_model_version

_QUESTIONS = "question,answer,level\n" + "".join(
    f"What is {place} + {place}?,{2 * place},{place % 3}\n" for place in range(2, 14)
)
PARAMETERS = {"model": "fake/echo", "temperature": 0.2, "max_tokens": 50}


@dataclass
class World:
    """The rows; `kwargs` fills the parameters of any address with them."""

    project: Project
    membership: Membership
    api_key: ApiKey
    provider: Provider
    connection_test: ConnectionTest
    prompt: Prompt
    dataset: Dataset
    job: DatasetImport
    example: Example
    evaluator: Evaluator
    runs: tuple[EvalRun, EvalRun]
    live_run: EvalRun
    comparison: Comparison
    comment: RowComment
    call: Call
    trial: Trial
    conversation: Conversation
    feedback: Feedback
    training_set: TrainingSet
    fine_tuning_job: FineTuningJob
    model_version: ModelVersion
    registry_work: RegistryWork
    pair_import: PairImport
    annotation: Annotation
    invitation: OneTimeLink
    webhook: ProjectWebhook

    def kwargs(self, view_name: str, parameters: set[str]) -> dict[str, Any]:
        """A value for each of an address's parameters, as its room means it."""
        room = view_name.split(":")[0]
        thing = view_name.split(":")[1].split("-")[0] if ":" in view_name else ""
        found = {
            "project_slug": self.project.slug,
            "slug": self._slug(room, thing),
            "number": self.runs[0].number if room == "evaluations" else 1,
            "version": "1",
            "label": "staging",
            "member_id": self.membership.pk,
            "user_id": self.membership.user_id,
            "key_id": self.api_key.pk,
            "invitation_id": self.invitation.pk,
            "model_id": self.provider.models.all()[0].pk,
            "test_id": self.connection_test.pk,
            "id": self.connection_test.pk if "test" in view_name else self.provider.models.all()[0].pk,
            "example_id": self._example_id(view_name),
            "import_id": self.job.pk,
            "item_id": self.runs[0].items.order_by("position")[0].pk,
            "run_id": self.runs[0].pk,
            "comparison_id": self.comparison.pk,
            "comment_id": self.comment.pk,
            "call_id": self.call.pk,
            "trial_id": self.trial.pk,
            "conversation_id": self.conversation.pk,
            "feedback_id": self.feedback.pk,
            "span_id": self.feedback.span_id,
            "annotation_id": self.annotation.pk,
            "key": self.example.key,
            "name": f"training-set-{self.training_set.number}-kto-README.md",
            "kind_name": "exact_match",
            "token": "a-trial",
            "webhook_id": self.webhook.pk,
            "checkpoint_id": self.fine_tuning_job.checkpoints.all()[0].pk,
            "delivery_id": self.webhook.deliveries.all()[0].pk,
            "news_id": "01900000-0000-7000-8000-000000000000",
        }
        if view_name == "evaluations:version-scores" or view_name.startswith("feedback:chat"):
            found["slug"] = self.prompt.slug
        if view_name.startswith(("feedback:queue", "api:queue")):
            found |= {"slug": self.annotation.queue.slug, "item_id": self.annotation.item_id}
        if "pair" in view_name:
            found["import_id"] = self.pair_import.pk
        if view_name.endswith((":queue-agreement", ":queue-raters", ":queue-ranking")):
            found["slug"] = self.pair_import.queue.slug  # type: ignore[union-attr]
        if view_name.startswith(("feedback:judge", "api:judge")):
            found["slug"] = self.evaluator.slug
        if view_name.startswith(("training:model", "api:model")):
            found |= {"name": self.model_version.name, "work_id": self.registry_work.pk}
            found["measurement_id"] = self.model_version.measurements.all()[0].pk
        if view_name.startswith("evaluations:comparison"):
            found["number"] = self.comparison.number
        return {name: found[name] for name in parameters}

    def _example_id(self, view_name: str) -> Any:
        if view_name.startswith("evaluations:"):
            return self.runs[0].items.order_by("position")[0].example_id
        return self.example.pk

    def _slug(self, room: str, thing: str) -> str:
        place = thing if room == "api" else room
        by_place = {
            "providers": self.provider.slug,
            "provider": self.provider.slug,
            "prompts": self.prompt.slug,
            "prompt": self.prompt.slug,
            "workbench": self.prompt.slug,
            "datasets": self.dataset.slug,
            "dataset": self.dataset.slug,
            "evaluations": self.evaluator.slug,
            "evaluator": self.evaluator.slug,
        }
        return by_place.get(place, "nothing")


def make_world(name: str = "Everything") -> World:
    """Make the project and one of everything in it, as services and workers would leave it."""
    project = make_project(name)
    make_member(project, Role.ADMIN)
    provider = provider_create(
        project=project, by=SYSTEM, kind="fake", settings=ProviderSettings(name="Fake"), slug="fake"
    )
    prompt = make_prompt(project, "Answer a question")
    first = make_version(prompt, "Answer: {{ question }}", parameters=PARAMETERS)
    make_version(prompt, "Answer in one word: {{ question }}", parameters=PARAMETERS)
    label_set(prompt=prompt, by=SYSTEM, name="staging", version=first)
    dataset = make_dataset(project, "Questions")
    job = import_bytes(dataset, _QUESTIONS, "questions.csv", Mapping(["question"], "answer", ["level"]))
    example = Example.objects.filter(dataset=dataset).order_by("position")[0]
    draft_example_save(dataset=dataset, by=SYSTEM, inputs={"question": "What is 1 + 1?"}, reference="2")
    evaluator_version = make_evaluator_version(project, slug="exact-match")
    version = dataset.versions.get(number=1)
    runs = tuple(
        make_run(
            project,
            version,
            scores={"exact-match": [float((place + shift) % 3 > 0) for place in range(12)]},
            outputs=[f"answer {place * shift}" for place in range(12)],
            evaluators=[evaluator_version],
            prompt_version=first,
        )
        for shift in (1, 2)
    )
    live = make_run(project, version, status="running", finalize=False, prompt_version=first)
    comparison = make_comparison(project, runs[0], runs[1], primary="exact-match")
    feedback = make_feedback(project, make_span(project, prompt_version=first), thumb=Feedback.DOWN)
    training_set = _training_set(project)
    member_invite(project=project, by=SYSTEM, email="invited@example.com", role=Role.EDITOR)
    return World(
        project=project,
        membership=Membership.objects.get(project=project, user=make_member(project, Role.VIEWER)),
        api_key=make_api_key(project, Role.VIEWER)[0],
        provider=provider,
        connection_test=ConnectionTest.objects.create(
            provider=provider, status="ok", message="12 models.", models=["echo"], finished_at=timezone.now()
        ),
        prompt=prompt,
        dataset=dataset,
        job=job,
        example=example,
        evaluator=evaluator_version.evaluator,
        runs=runs,  # type: ignore[arg-type]
        live_run=live,
        comparison=comparison,
        comment=RowComment.objects.create(
            comparison=comparison, example=runs[0].items.order_by("position")[0].example, text="Look at this."
        ),
        call=Call.objects.create(
            project=project, prompt=prompt, page=new_id(), batch=new_id(), model_name="fake/echo", content={}
        ),
        trial=Trial.objects.create(
            project=project, prompt=prompt, dataset_version=version, page=new_id(), columns=[]
        ),
        conversation=Conversation.objects.create(project=project, prompt=prompt),
        feedback=feedback,
        training_set=training_set,
        fine_tuning_job=_fine_tuning_job(training_set),
        model_version=_model_version(training_set, comparison),
        registry_work=RegistryWork.objects.create(
            project=project, kind="import", name="tiny", status="failed"
        ),
        pair_import=PairImport.objects.create(
            project=project, queue=make_queue(project, kind="pair"), status="completed", filename="pairs.json"
        ),
        annotation=make_annotation(make_queue_item(make_queue(project))),
        invitation=OneTimeLink.objects.get(project=project, purpose="invitation"),
        webhook=_webhook(project),
    )


def _training_set(project: Project) -> TrainingSet:
    """A frozen one, of the one thumb that there is."""
    made = training_set_create(
        project=project, by=SYSTEM, name="Thumbs", method="kto", recipe=read_recipe({"tokenizer": "estimate"})
    )
    preview_run(set_id=made.pk)
    training_set_freeze(training_set=made, by=SYSTEM)
    freeze_run(set_id=made.pk)
    made.refresh_from_db()
    return made


def _fine_tuning_job(training_set: TrainingSet) -> FineTuningJob:
    """A draft of number 1, of the embedded model; it has a checkpoint, as one that was started has."""
    job = FineTuningJob.objects.create(
        project=training_set.project,
        number=1,
        name="thumbs",
        method=training_set.method,
        training_set=training_set,
        dataset_version=training_set.dataset_version,
        base={"kind": "embedded"},
        settings=defaults_for(training_set.method, "lora"),
    )
    make_checkpoint(job, 10)
    return job


def _model_version(training_set: TrainingSet, comparison: Comparison) -> ModelVersion:
    """Made from the training set, and measured: the comparison's runs are its base's and its own."""
    made = make_model_version(training_set.project, "tiny", dataset_version=training_set.dataset_version)
    make_measurement(made, comparison)
    return made


def _webhook(project: Project) -> ProjectWebhook:
    webhook, _ = webhook_create(
        project=project, by=SYSTEM, name="Our chat", url="http://127.0.0.1:9/hook", events=["run.failed"]
    )
    webhook_test(project=project, by=SYSTEM, webhook=webhook)
    return webhook
