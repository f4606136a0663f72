"""A version's card: what it is, what it was made of and from whose judgements, how it did, what may be done
with it. One content, written as Markdown (with the head that model hubs read) and shown as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.template.defaultfilters import filesizeformat

from apps.core import figures
from apps.training.models import FineTuningJob, ModelMeasurement, ModelVersion
from apps.training.registry.selectors import has_erased, training_set_of

Kind, Source = ModelVersion.Kind, ModelVersion.Source
JUDGEMENTS = {"feedback": "thumbs and corrections", "annotation": "reviews", "vote": "votes on pairs"}
NOT_STATED = "not stated"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


@dataclass(frozen=True, slots=True)
class Section:
    """`facts` are names with their values; `rows` a table with `columns`."""

    title: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.facts or self.texts or self.rows)


def card_sections(version: ModelVersion) -> list[Section]:
    """A handful of queries, however many files and notes there are."""
    sections = [_what(version), _training(version), _data(version), _figures(version), _measured(version)]
    return [
        section
        for section in [*sections, _licences(version), _notes(version), _files(version)]
        if not section.is_empty
    ]


def card_markdown(version: ModelVersion) -> str:
    lines = [*_head(version), f"# {_plain(version.full_name)}", ""]
    if version.state.description:
        lines += [_plain(version.state.description, keep_lines=True), ""]
    for section in card_sections(version):
        lines += [f"## {section.title}", "", *_written(section)]
    return "\n".join(lines)


def _written(section: Section) -> Iterable[str]:
    for name, value in section.facts:
        yield f"- {_plain(name)}: {_plain(value)}"
    if section.facts:
        yield ""
    for text in section.texts:
        yield _plain(text, keep_lines=True)
        yield ""
    if section.rows:
        yield f"| {' | '.join(section.columns)} |"
        yield f"|{' --- |' * len(section.columns)}"
        for row in section.rows:
            yield f"| {' | '.join(_plain(cell) for cell in row)} |"
        yield ""


def _plain(text: str, *, keep_lines: bool = False) -> str:
    """Text of a person as Markdown that says just that: no heading, link or markup of its own."""
    escaped = _SPECIAL.sub(r"\\\1", text)
    if keep_lines:
        return "\n".join(re.sub(r"^(\s*)([-+=>]|\d+[.)])", r"\1\\\2", line) for line in escaped.splitlines())
    return " ".join(escaped.split())


def _head(version: ModelVersion) -> list[str]:
    """YAML as model hubs read it; every value is quoted."""
    lines = ["---"]
    if version.base_licence:
        lines.append(f"license: {_quoted(version.base_licence)}")
    if version.base is not None:
        lines.append(f"base_model: {_quoted(version.base.full_name)}")
    if version.source != Source.HOSTED:
        lines.append(f"library_name: {'peft' if version.kind == Kind.ADAPTER else 'transformers'}")
        lines.append("pipeline_tag: text-generation")
    if method := version.recipe.get("method"):
        lines.append(f"tags: [{_quoted(str(method))}]")
    return [*lines, "---", ""]


def _quoted(text: str) -> str:
    return "'" + " ".join(text.split()).replace("'", "''") + "'"


def _what(version: ModelVersion) -> Section:
    shape = version.architecture
    facts = [
        ("Kind", version.get_kind_display()),
        ("Came from", version.get_source_display()),
        (
            "Stands on" if version.kind == Kind.ADAPTER else "Made from",
            version.base.full_name if version.base else "",
        ),
        ("Served as", version.state.served_as.full_name if version.state.served_as else ""),
        ("Its name at its provider", version.location if version.source == Source.HOSTED else ""),
        ("Architecture", str(shape.get("class") or shape.get("model_type") or "")),
        ("Weights", _count(version.parameters)),
        ("Trained weights", _count(version.trained_parameters)),
        ("LoRA", _lora(shape)),
        ("Precision", str(shape.get("dtype", ""))),
        (
            "Context window",
            f"{figures.number(shape['context_window'])} tokens" if shape.get("context_window") else "",
        ),
        ("Fingerprint", version.fingerprint),
        ("Made by", version.author_label),
        ("Made at", version.created_at.strftime("%Y-%m-%d %H:%M UTC")),
    ]
    return Section("What it is", [(name, value) for name, value in facts if value])


def _lora(shape: dict[str, Any]) -> str:
    if "rank" not in shape:
        return ""
    modules = sorted({str(target).rpartition(".")[2] for target in shape.get("targets", [])})
    return f"rank {shape['rank']}, alpha {shape.get('alpha')}, on {', '.join(modules)}"


def _count(parameters: int) -> str:
    return figures.number(parameters) if parameters else ""


def _training(version: ModelVersion) -> Section:
    recipe = version.recipe
    made = recipe.get("environment") or {}
    hardware = made.get("hardware") or {}
    facts = [
        ("Job", f"{recipe['job']}, {recipe.get('name', '')}" if recipe.get("job") else ""),
        ("Method", str(recipe.get("method", "")).upper()),
        ("Technique", dict(FineTuningJob.Technique.choices).get(recipe.get("technique"), "")),
        ("Registered at step", str(recipe.get("step", ""))),
        ("Merged from", str(recipe.get("merged", ""))),
        ("Imported from", str(recipe.get("imported", ""))),
        ("Seed", str(recipe.get("seed", ""))),
        ("Settings", _named(recipe.get("settings") or {})),
        ("Libraries", _named(made.get("packages") or {})),
        ("Python", str(made.get("python", ""))),
        ("Code", str(made.get("commit", ""))),
        ("Device", f"{made.get('device', '')} {made.get('dtype', '')}".strip()),
        ("Hardware", _named(hardware) if isinstance(hardware, dict) else str(hardware)),
    ]
    return Section("How it was trained", [(name, value) for name, value in facts if value])


def _named(values: dict[str, Any]) -> str:
    """ "cores 2, memory 8.0 GB"."""
    return ", ".join(
        f"{name.removesuffix('_bytes')} {filesizeformat(value)}"
        if name.endswith("_bytes")
        else f"{name} {value}"
        for name, value in sorted(values.items())
        if value not in (None, "")
    )


def _data(version: ModelVersion) -> Section:
    told = version.lineage
    dataset = told.get("dataset")
    if not dataset:
        unknown = "What it was trained on is not known here: it was not trained here."
        return Section("Data", texts=[unknown] if version.source != ModelVersion.Source.EMBEDDED else [])
    rows = ", ".join(f"{figures.number(count)} {split}" for split, count in told.get("rows", {}).items())
    trained_on, prompt = told.get("training_set"), told.get("prompt")
    judged = ", ".join(
        f"{figures.number(count)} {JUDGEMENTS.get(kind, kind)}"
        for kind, count in sorted(told.get("judgements", {}).items())
    )
    facts = [
        ("Dataset", f"{dataset['name']} version {dataset['version']}"),
        ("Rows", rows),
        ("Training set", f"{trained_on['number']}, {trained_on['name']}" if trained_on else ""),
        ("Made from", judged),
        ("Rendered by", f"prompt {prompt['slug']} version {prompt['version']}" if prompt else ""),
        ("SHA-256 of the rows as trained", dataset.get("hash", "")),
    ]
    training_set = training_set_of(version)
    texts = []
    if training_set is not None and has_erased(training_set):
        texts.append("Some of the rows came from a person who was erased since.")
    return Section("Data", [(name, value) for name, value in facts if value], texts)


def _figures(version: ModelVersion) -> Section:
    shown = [
        (_words(name), _figure(value))
        for name, value in sorted(version.training_metrics.items())
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return Section("Training's own last figures", shown)


def _words(name: str) -> str:
    """ "eval_mean_token_accuracy" as people read it."""
    words = name.replace("_", " ").replace("/", ": ")
    return words[:1].upper() + words[1:]


def _figure(value: float) -> str:
    """Steps and tokens are counted; a learning rate is too small for three places after the point."""
    if float(value).is_integer():
        return figures.number(int(value))
    return figures.score(value) if abs(value) >= 0.01 else f"{value:.3g}"


def _measured(version: ModelVersion) -> Section:
    done = ModelMeasurement.objects.filter(version=version, status=ModelMeasurement.Status.COMPLETED)
    rows = [
        (
            measurement.created_at.strftime("%Y-%m-%d"),
            measurement.base_run.name if measurement.base_run else "",
            str(measurement.figures.get("headline", "")),
            measurement.get_verdict_display() if measurement.verdict else "",
        )
        for measurement in done.select_related("base_run").order_by("-id")[:10]
    ]
    texts = [] if rows else ["Not measured against its base."]
    if version.kind == Kind.BASE:
        texts = []
    return Section("Measured", texts=texts, columns=("On", "Against", "Found", "Policy"), rows=rows)


def _licences(version: ModelVersion) -> Section:
    facts = [("Of the base" if version.base else "Of the model", version.base_licence or NOT_STATED)]
    if version.lineage or version.data_licence:
        facts.append(("Of the data", version.data_licence or NOT_STATED))
    return Section("Licences", facts)


def _notes(version: ModelVersion) -> Section:
    notes = version.notes.order_by("id")[:50]
    return Section("Notes", texts=[f"{note.text} ({note.author_label})" for note in notes])


def _files(version: ModelVersion) -> Section:
    rows = [
        (file.path, filesizeformat(file.size_bytes), file.sha256)
        for file in version.files.order_by("path")[:500]
    ]
    return Section("Files", columns=("File", "Size", "SHA-256"), rows=rows)
