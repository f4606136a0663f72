"""A prompt version's score is that of its own model, also after others were measured with its prompt."""

from __future__ import annotations

import pytest

from apps.evaluations.version_scores import version_scores
from apps.workbench.timeline import timeline_of
from tests.factories.evaluations import make_dataset_version, make_evaluator_version, make_run
from tests.factories.prompts import make_prompt, make_version

pytestmark = pytest.mark.django_db


def test_a_run_of_another_model_stands_for_the_version_only_where_there_is_no_other(project):
    data, evaluator = make_dataset_version(project, 4), make_evaluator_version(project)
    prompt = make_prompt(project, "Ask")
    version = make_version(prompt, "{{ question }}", parameters={"model": "fake/tiny"})
    metric = evaluator.evaluator.slug
    told = {"prompt_version": version, "evaluators": [evaluator], "primary_metric": metric}

    def shown():
        [row] = version_scores(prompt=prompt, versions=list(prompt.versions.all())).rows
        [line] = timeline_of(prompt=prompt).rows
        return row.score.run, line.score.run

    first = make_run(project, data, scores={metric: [1.0] * 4}, model_name="local/tuned-v1", **told)
    assert shown() == (first, first)
    own = make_run(project, data, scores={metric: [1.0, 1.0, 0.0, 0.0]}, **told)
    make_run(project, data, scores={metric: [1.0] * 4}, model_name="local/tuned-v2", **told)
    assert shown() == (own, own)
