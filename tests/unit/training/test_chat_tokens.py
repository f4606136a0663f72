"""Which chat template of a folder counts, and what is done where none can be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.providers.chat_template.rendering import TemplateUnreadable
from apps.training.models import FineTuningJob
from apps.training.planning.base_tokens import tokens_of_base
from apps.training.planning.chat_tokens import ChatTokenizer, EstimatedTokens
from tests.factories.tiny_model import tiny_model_folder

MESSAGES = [
    {"role": "user", "content": "What is <2> + 2?"},
    {"role": "assistant", "content": "It is 4."},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_model_folder(tmp_path / "base")


def of_config(folder: Path, chat_template: object) -> ChatTokenizer:
    """The tokenizer whose template stands in its configuration."""
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": chat_template}))
    return ChatTokenizer(folder, "tiny")


def test_of_several_templates_the_default_is_taken(folder: Path) -> None:
    several = [{"name": "tools", "template": "tools"}, {"name": "default", "template": "the default"}]
    assert of_config(folder, several).render(MESSAGES) == "the default"


@pytest.mark.parametrize(
    ("chat_template", "error"),
    [
        ("{% unknown %}", TemplateUnreadable),
        ("{% for %}", TemplateUnreadable),
        ([{"name": "tools", "template": "tools"}], KeyError),
        (["tools"], TypeError),
    ],
)
def test_where_a_template_cannot_be_read_tokens_are_estimated(
    folder: Path, settings, chat_template: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        of_config(folder, chat_template)
    settings.BASE_MODELS_DIR = folder.parent
    job = FineTuningJob(base={"kind": "folder", "name": folder.name})
    assert isinstance(tokens_of_base(job), EstimatedTokens)
