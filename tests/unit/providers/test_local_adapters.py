"""Several models in one process: adapters on one base, whole models, and who leaves; on a tiny model."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from apps.providers.local_model.engine import LocalEngine, Result
from apps.providers.local_model.folder import ModelFolder
from apps.providers.local_model.residents import Bounds
from apps.providers.local_model.served import EMBEDDED_WEIGHTS, Served, Weights
from apps.providers.local_model.weights import WeightsUnavailable, fetch, file_hash, fingerprint_of
from apps.providers.protocol import CompletionRequest, CompletionResponse, ErrorKind, ProviderError
from tests.factories.tiny_model import tiny_adapter_folder, tiny_model_folder
from tests.unit.providers.conftest import chat

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("trainers")]
QUESTIONS = tuple(f"Question {number}: {'why? ' * (number % 4)}" for number in range(9))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two whole models, and adapters: four on "one", of them one that brings biases, and one on "other"."""
    root = tmp_path_factory.mktemp("bases")
    one = tiny_model_folder(root / "one")
    tiny_model_folder(root / "other", seed=5)
    for seed, rank in ((1, 4), (2, 8), (3, 2)):
        tiny_adapter_folder(root / f"adapter{seed}", one, seed=seed, rank=rank)
    tiny_adapter_folder(root / "on-other", root / "other", seed=9)
    shutil.copytree(root / "adapter1", root / "with-bias")
    _change_config(root / "with-bias", bias="all")
    return root


def _change_config(folder: Path, **changes: Any) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.fixture(autouse=True)
def places(folders: Path, settings: Any, tmp_path: Path) -> None:
    from llmops_web.stack.paths import StackPaths

    settings.BASE_MODELS_DIR = folders
    settings.STACK = StackPaths(tmp_path)
    settings.MEDIA_ROOT = tmp_path / "files"


def folder_weights(folders: Path, name: str) -> Weights:
    files: dict[str, dict[str, Any]] = {
        path.name: {"sha256": file_hash(path), "size": path.stat().st_size, "stored_as": ""}
        for path in sorted((folders / name).iterdir())
    }
    fingerprint = fingerprint_of({path: file["sha256"] for path, file in files.items()})
    return Weights({"kind": "folder", "name": name, "files": files}, fingerprint)


def stored_weights(folders: Path, name: str) -> Weights:
    """The same in the file store."""
    weights = folder_weights(folders, name)
    files = {
        path: file
        | {
            "stored_as": default_storage.save(
                f"models/{name}/{path}", ContentFile((folders / name / path).read_bytes())
            )
        }
        for path, file in weights.place["files"].items()
    }
    return Weights({"kind": "stored", "files": files}, weights.fingerprint)


def served(folders: Path, base: str, adapter: str = "") -> Served:
    return Served(
        adapter or base,
        folder_weights(folders, base),
        stored_weights(folders, adapter) if adapter else None,
    )


@pytest.fixture
def engine(tmp_path: Path) -> LocalEngine:
    return LocalEngine(tmp_path / "models", Bounds(adapters=2))


def ask(of: Served, text: str) -> CompletionRequest:
    return chat(text, model=of.name, max_tokens=8)


def answers(engine: LocalEngine, asked: list[tuple[Served, str]]) -> list[Result]:
    return engine.generate([ask(of, text) for of, text in asked], served=[of for of, _ in asked])


def texts(results: list[Result]) -> list[str]:
    assert all(isinstance(result, CompletionResponse) for result in results), results
    return [result.text for result in results if isinstance(result, CompletionResponse)]


def test_adapters_and_their_base_in_one_queue_answer_as_each_alone(
    engine: LocalEngine, folders: Path, tmp_path: Path
) -> None:
    """What transformers and PEFT say of each, loaded by themselves, is what the shared base says of each."""
    voices = [served(folders, "one"), served(folders, "one", "adapter1"), served(folders, "one", "adapter2")]
    queue = [(of, text) for text in QUESTIONS for of in voices]
    results = answers(engine, queue)
    mixed = texts(results)
    assert [result.model for result in results if isinstance(result, CompletionResponse)] == [
        of.name for of, _ in queue
    ]
    for number, of in enumerate(voices):
        mine = mixed[number :: len(voices)]
        lone = LocalEngine(tmp_path / "models")
        assert mine == texts(answers(lone, [(of, text) for text in QUESTIONS]))
        assert mine == _plainly(folders, of, *QUESTIONS)
    assert len(set(mixed)) > len(QUESTIONS) * 2, "the adapters change what is said"
    assert engine.residents[0] == [voices[0].whole.key], "one base in memory"


def _plainly(folders: Path, of: Served, *questions: str) -> list[str]:
    """By transformers' own generate on a model of its own."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = folders / of.whole.place["name"]
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if of.adapter is not None:
        model = PeftModel.from_pretrained(model, str(folders / of.name))
    model.eval()
    said = []
    for text in questions:
        shown = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(shown, add_special_tokens=False, return_tensors="pt")
        with torch.inference_mode():
            new = model.generate(**ids, max_new_tokens=8, do_sample=False)
        answer = str(tokenizer.decode(new[0, ids["input_ids"].shape[1] :], skip_special_tokens=True))
        # As the engine: the limit may fall within a character, and no database keeps a NUL.
        said.append(answer.rstrip("\ufffd").replace("\x00", "\ufffd"))
    return said


def test_the_base_is_untouched_by_adapters_that_came_and_went(engine: LocalEngine, folders: Path) -> None:
    base = served(folders, "one")
    before = texts(answers(engine, [(base, text) for text in QUESTIONS]))
    weights = _weights(engine, base)
    for name in ("adapter1", "adapter2", "adapter3"):
        texts(answers(engine, [(served(folders, "one", name), text) for text in QUESTIONS[:2]]))
    _, adapters = engine.residents
    assert [key for _, key in adapters] == [
        folder_weights(folders, name).fingerprint for name in ("adapter2", "adapter3")
    ], "the least recently used left"
    back = texts(answers(engine, [(served(folders, "one", "adapter1"), QUESTIONS[0]), (base, QUESTIONS[1])]))
    assert back[1] == before[1]
    assert back[:1] == _plainly(folders, served(folders, "one", "adapter1"), QUESTIONS[0])
    assert texts(answers(engine, [(base, text) for text in QUESTIONS])) == before
    assert _weights(engine, base) == weights


def _weights(engine: LocalEngine, of: Served) -> dict[str, bytes]:
    model, _ = engine.in_memory(of)
    return {
        name.replace(".base_layer", ""): weights.numpy().tobytes()
        for name, weights in model.named_parameters()
        if "lora_" not in name
    }


def test_likelihoods_are_those_of_the_embedded_model_whatever_was_switched_on(
    engine: LocalEngine, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.providers.local_model.likelihood import Text

    embedded = ModelFolder("tiny", folders / "one")
    monkeypatch.setattr("apps.providers.local_model.residents.model_folder", lambda _: embedded)
    asked = [Text("an answer", ({"role": "user", "content": "a question"},)), Text("alone")]
    before = engine.likelihoods(asked)
    texts(answers(engine, [(Served("on", EMBEDDED_WEIGHTS, stored_weights(folders, "adapter1")), "x")]))
    assert len(engine.residents[1]) == 1
    assert engine.likelihoods(asked) == before


def test_whole_models_leave_when_the_next_does_not_fit(tmp_path: Path, folders: Path) -> None:
    one, other = served(folders, "one"), served(folders, "other")
    on_one, on_other = served(folders, "one", "adapter1"), served(folders, "other", "on-other")
    size = sum(file.stat().st_size for file in (folders / "one").glob("*.safetensors"))
    roomy, tight = LocalEngine(tmp_path, Bounds(model_bytes=size * 3)), LocalEngine(tmp_path, Bounds(8, size))
    queue = [(one, "a"), (on_one, "b"), (other, "c"), (on_other, "d"), (one, "e"), (on_one, "f")]
    apart = [texts(answers(tight, [each]))[0] for each in queue]
    assert texts(answers(roomy, queue)) == apart
    assert len(roomy.residents[0]) == 2
    assert tight.residents == ([one.whole.key], [on_one.key])
    [refused] = answers(LocalEngine(tmp_path, Bounds(8, size // 2)), [(one, "a")])
    assert isinstance(refused, ProviderError)
    assert "LLMOPS_LOCAL_MEMORY_GB" in refused.message


def test_an_adapter_that_changes_its_base_is_served_from_a_copy(engine: LocalEngine, folders: Path) -> None:
    base, plain = served(folders, "one"), served(folders, "one", "adapter1")
    biased = served(folders, "one", "with-bias")
    mixed = answers(engine, [(base, "x"), (biased, "x"), (plain, "x")])
    assert texts(mixed)[1:2] == texts(mixed)[2:] == _plainly(folders, plain, "x")
    assert len(engine.residents[0]) == 2


def test_what_cannot_be_loaded_is_said_and_the_rest_is_answered(
    engine: LocalEngine, folders: Path, tmp_path: Path
) -> None:
    one = served(folders, "one")
    shutil.copytree(folders / "adapter1", folders / "broken", dirs_exist_ok=True)
    _change_config(folders / "broken", r=16)
    shutil.copytree(folders / "adapter1", folders / "not-lora", dirs_exist_ok=True)
    _change_config(folders / "not-lora", peft_type="IA3")
    shutil.copytree(folders / "adapter1", folders / "odd", dirs_exist_ok=True)
    _change_config(folders / "odd", alpha_pattern={"q_proj": "much"})
    shutil.copytree(folders / "other", folders / "odd-model", dirs_exist_ok=True)
    shutil.copytree(folders / "other", folders / "torn", dirs_exist_ok=True)
    _leave_out(folders / "torn" / "model.safetensors", "model.norm.weight")
    odd = json.loads((folders / "odd-model" / "config.json").read_text()) | {"num_attention_heads": 0}
    (folders / "odd-model" / "config.json").write_text(json.dumps(odd))
    changed = served(folders, "one", "adapter3")
    assert changed.adapter is not None
    stored = changed.adapter.place["files"]["adapter_model.safetensors"]["stored_as"]
    (tmp_path / "files" / stored).write_bytes(b"something else")
    queue = [
        served(folders, "one", "broken"),
        one,
        served(folders, "one", "not-lora"),
        changed,
        Served("gone", Weights({"kind": "folder", "name": "nowhere", "files": {}}, "0" * 64)),
        served(folders, "one", "adapter1"),
        served(folders, "one", "odd"),
        served(folders, "odd-model"),
        served(folders, "torn"),
    ]
    results = answers(engine, [(of, "hello") for of in queue])
    errors = {of.name: result for of, result in zip(queue, results, strict=True)}
    for name, kind, words in (
        ("broken", ErrorKind.UNKNOWN_MODEL, "does not fit its base"),
        ("not-lora", ErrorKind.UNKNOWN_MODEL, "IA3"),
        ("adapter3", ErrorKind.CONNECTION, "is not the file that was registered"),
        ("gone", ErrorKind.CONNECTION, "is not on this machine"),
        ("odd", ErrorKind.UNKNOWN_MODEL, "does not fit its base"),
        ("odd-model", ErrorKind.UNKNOWN_MODEL, "make no model"),
        ("torn", ErrorKind.UNKNOWN_MODEL, "model.norm.weight are not in its files"),
    ):
        error = errors[name]
        assert isinstance(error, ProviderError)
        assert (error.kind, words in error.message) == (kind, True), error.message
    assert texts([results[1], results[5]]) == [
        *_plainly(folders, one, "hello"),
        *_plainly(folders, queue[5], "hello"),
    ]
    [unknown] = engine.generate([chat("hello", model="nobody-v1")])
    assert isinstance(unknown, ProviderError)
    assert "archived or deleted" in unknown.message


def test_other_ends_windows_and_templates_than_those_of_the_embedded_model(
    engine: LocalEngine, folders: Path
) -> None:
    """A template that refuses, several ends of a turn, no padding token; the window is the model's own."""
    strange = folders / "strange"
    shutil.copytree(folders / "one", strange, dirs_exist_ok=True)
    template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system!') }}{% endif %}"
    template += "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"
    (strange / "chat_template.jinja").write_text(template)
    first = _first_token(folders, "[x]")
    (strange / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, first]}))
    _drop(strange / "tokenizer_config.json", "pad_token")
    of = served(folders, "strange")
    answered, refused, long = engine.generate(
        [ask(of, "x"), chat("x", model=of.name, system="s"), ask(of, "x" * 1020)], served=[of] * 3
    )
    assert isinstance(answered, CompletionResponse)
    assert (answered.text, answered.output_tokens, answered.finish_reason) == ("", 1, "stop")
    assert isinstance(refused, ProviderError)
    assert "No system!" in refused.message
    assert isinstance(long, ProviderError)
    assert (long.kind, "strange holds 1024" in long.message) == (ErrorKind.CONTEXT_LENGTH, True)


def _first_token(folders: Path, shown: str) -> int:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folders / "one")
    model = AutoModelForCausalLM.from_pretrained(folders / "one").eval()
    with torch.inference_mode():
        return int(model(**tokenizer(shown, return_tensors="pt")).logits[0, -1].argmax())


def _drop(file: Path, key: str) -> None:
    kept = json.loads(file.read_text())
    kept.pop(key, None)
    file.write_text(json.dumps(kept))


def _leave_out(file: Path, name: str) -> None:
    from safetensors.torch import load_file, save_file

    kept = load_file(file)
    kept.pop(name)
    save_file(kept, file, metadata={"format": "pt"})


def test_fetching_copies_once_and_checks_a_folder_that_changed(folders: Path, tmp_path: Path) -> None:
    stored = stored_weights(folders, "adapter1")
    folder = fetch(stored.place, stored.fingerprint)
    assert folder == tmp_path / "model-cache" / stored.fingerprint
    for file in stored.place["files"].values():
        default_storage.delete(file["stored_as"])
    assert fetch(stored.place, stored.fingerprint) == folder, "it is there already"
    shutil.rmtree(folder)
    with pytest.raises(WeightsUnavailable, match="has no models/adapter1"):
        fetch(stored.place, stored.fingerprint)
    assert not [path for path in folder.parent.iterdir() if path.is_dir()], "no half of it is left"

    shutil.copytree(folders / "one", folders / "mine", dirs_exist_ok=True)
    mine = folder_weights(folders, "mine")
    assert fetch(mine.place, mine.fingerprint) == folders / "mine"
    added = folders / "mine" / "model.safetensors.index.json"
    added.write_text("{}")
    with pytest.raises(WeightsUnavailable, match=r"index\.json was not there when the folder was registered"):
        fetch(mine.place, mine.fingerprint)
    added.unlink()
    weights = folders / "mine" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(bytes(changed))
    with pytest.raises(WeightsUnavailable, match=r"mine/model\.safetensors is not the file"):
        fetch(mine.place, mine.fingerprint)
    for name in ("../one", "/etc", ""):
        with pytest.raises(WeightsUnavailable, match="no name of a folder"):
            fetch({"kind": "folder", "name": name, "files": {}}, "0" * 64)


def test_a_full_disk_is_said_after_weights_unused_for_a_day_made_room(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = {}
    for name in ("adapter1", "adapter2"):
        stored = stored_weights(folders, name)
        fetched[name] = fetch(stored.place, stored.fingerprint)
    os.utime(fetched["adapter1"], (0, 0))
    kept_apart = tmp_path / "model-cache" / "checked"
    kept_apart.mkdir(exist_ok=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    third = stored_weights(folders, "adapter3")
    with pytest.raises(WeightsUnavailable, match="needs 200 MB in the data folder; 1 MB are free"):
        fetch(third.place, third.fingerprint)
    assert (fetched["adapter1"].exists(), fetched["adapter2"].exists()) == (False, True)
    assert kept_apart.exists()
