"""What is taken for a model, and what is refused before a byte of it is loaded."""

from __future__ import annotations

import json
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from apps.training.registry.adapters import adapter_problem, cleaned_config
from apps.training.registry.errors import BadWeights
from apps.training.registry.fitting import fits
from apps.training.registry.folders import look_into
from apps.training.registry.safetensors_header import read_tensors
from apps.training.registry.unpacking import SPARE_BYTES, unpack

LORA = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "r": 2,
    "lora_alpha": 4,
    "target_modules": ["q_proj"],
    "base_model_name_or_path": "/home/someone/secret",
}
SIDE = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"


def weights(
    path: Path, tensors: dict[str, tuple[int, ...]], *, spoil: dict | None = None, more: bytes = b""
) -> Path:
    """A safetensors file of zeros; `spoil` changes what its head says of each tensor."""
    head, end = {}, 0
    for name, shape in tensors.items():
        size = 4
        for side in shape:
            size *= side
        head[name] = {
            "dtype": "F32",
            "shape": list(shape),
            "data_offsets": [end, end + size],
            **(spoil or {}),
        }
        end += size
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end) + more)
    return path


def whole(folder: Path, **config: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": 8, **config}))
    (folder / "tokenizer.json").write_text("{}")
    weights(folder / "model.safetensors", {"model.layers.0.self_attn.q_proj.weight": (8, 8)})
    return folder


def adapter(folder: Path, width: int = 8, **config: object) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({**LORA, **config}))
    shapes = {SIDE.format("A"): (2, width), SIDE.format("B"): (8, 2)}
    weights(folder / "adapter_model.safetensors", shapes)
    return folder


def zipped(path: Path, files: dict[str, bytes], mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def test_the_facts_of_a_model_are_read_from_heads(tmp_path):
    folder = whole(tmp_path / "tiny", architectures=["LlamaForCausalLM"], max_position_embeddings=512)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tiny")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    facts = look_into(folder)
    assert (facts.kind, facts.parameters, facts.licence) == ("whole", 64, "apache-2.0")
    assert facts.architecture["context_window"] == 512
    assert facts.architecture["dtype"] == "float32"
    assert "pytorch_model.bin" not in facts.files


@pytest.mark.parametrize(
    ("spoil", "more", "said"),
    [
        ({"data_offsets": [0, 4]}, b"", "not as many bytes"),
        ({"dtype": "PICKLE"}, b"", "not described"),
        ({"dtype": []}, b"", "not described"),
        ({"shape": [-8, -8]}, b"", "not described"),
        ({}, b"hidden", "its head speaks of"),
    ],
)
def test_weights_that_are_not_what_their_head_says_are_refused(tmp_path, spoil, more, said):
    path = weights(tmp_path / "model.safetensors", {"w": (8, 8)}, spoil=spoil, more=more)
    with pytest.raises(BadWeights, match=said):
        read_tensors(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04\x95" * 9, struct.pack("<Q", 2**60) + b"{}", b"\x02" + bytes(7) + b"[]"]
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadWeights):
        read_tensors(path)


def test_a_model_that_brings_code_is_refused(tmp_path):
    with pytest.raises(BadWeights, match="code of its own"):
        look_into(whole(tmp_path / "sly", auto_map={"AutoModel": "evil.Model"}))


def test_a_model_without_safetensors_is_refused(tmp_path):
    folder = whole(tmp_path / "old")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BadWeights, match="pickled weights are not loaded"):
        look_into(folder)


def test_weights_that_are_there_twice_are_refused(tmp_path):
    """Libraries differ in which of the two they load, so a hash of one would say nothing of the other."""
    folder = whole(tmp_path / "twice")
    shard = folder / "model-00001-of-00001.safetensors"
    shard.write_bytes((folder / "model.safetensors").read_bytes())
    index = {"weight_map": {"w": shard.name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BadWeights, match="holds its weights twice"):
        look_into(folder)


def test_shards_that_lie_elsewhere_are_refused(tmp_path):
    folder = whole(tmp_path / "shards")
    index = {"weight_map": {"w": "../../other/model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BadWeights, match="not in the folder"):
        look_into(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"peft_type": "PREFIX_TUNING"}, "only LoRA"),
        ({"target_modules": "(a+)+$"}, "by name, not by a pattern"),
        ({"target_modules": ["(a+)+$"]}, "by name"),
        ({"rank_pattern": {"(a+)+$": 4}}, "not patterns"),
        ({"rank_pattern": {"q_proj": 10**9}}, "rank_pattern must give each module a number"),
        ({"alpha_pattern": {"q_proj": "much"}}, "alpha_pattern must give each module a number"),
        ({"layers_to_transform": ["(a+)+$"]}, "layers by number"),
        ({"use_dora": {"a": 1}}, "neither true nor false"),
        ({"lora_dropout": "x"}, "lora_dropout"),
        ({"r": 10**9}, "rank"),
        ({"task_type": "SEQ_CLS"}, "not for CAUSAL_LM"),
        ({"init_lora_weights": "pissa"}, "changes its base"),
        ({"lora_bias": True}, "lora_bias"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
    ],
)
def test_settings_that_ask_for_more_than_lora_are_refused(change, said):
    assert said in adapter_problem({**LORA, **change})


def test_of_an_adapter_s_settings_only_what_lora_needs_is_kept():
    sly = {
        "auto_mapping": {"parent_library": "os"},
        "init_lora_weights": "pissa",
        "loftq_config": {"a": 1},
    }
    kept = json.loads(cleaned_config(LORA | sly, base="tiny-v1"))
    assert kept["base_model_name_or_path"] == "tiny-v1"
    assert not set(sly) & set(kept)


def test_an_adapter_must_fit_its_base(tmp_path):
    base = look_into(whole(tmp_path / "base"))
    assert fits(look_into(adapter(tmp_path / "good")), base) == ""
    assert "8×8 in the base, and 16 wide" in fits(look_into(adapter(tmp_path / "bad", width=16)), base)
    bare = whole(tmp_path / "bare")  # as GPT-2 names its weights, without the part that holds the layers
    weights(bare / "model.safetensors", {"layers.0.self_attn.q_proj.weight": (8, 8)})
    assert fits(look_into(tmp_path / "good"), look_into(bare)) == ""
    weights(bare / "model.safetensors", {"layers.1.self_attn.q_proj.weight": (8, 8)})
    assert "the base has no model.layers.0" in fits(look_into(tmp_path / "good"), look_into(bare))


def test_an_archive_that_the_disk_has_no_room_for_is_not_unpacked(tmp_path, monkeypatch):
    archive, target = zipped(tmp_path / "upload.zip", {"m/a.json": bytes(4_000_000)}), tmp_path / "folder"
    target.mkdir()
    usage = type("Usage", (), {"free": SPARE_BYTES + 3_000_000})
    monkeypatch.setattr("apps.training.registry.unpacking.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(BadWeights, match="needs 504 MB"):
        unpack(archive, target)
    assert not list(target.iterdir())


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"m/model.safetensors": b"x", "m/evil.pt": b"x"}, "evil.pt is of a kind"),
        ({"m/modeling.py": b"import os"}, "modeling.py is of a kind"),
        ({"../../etc/cron.json": b"{}"}, "no name"),
        ({"/etc/cron.json": b"{}"}, "no name"),
        ({"m/a/b.json": b"{}", "m/c.json": b"{}"}, "one folder"),
        ({"m/.bashrc": b"x"}, "no name"),
        ({"m/a.json": b"{}", "m/A.json": b"{}"}, "no name"),
        ({"m/zeros.json": bytes(300_000_000)}, "far more than it is"),
        ({}, "empty"),
    ],
)
def test_archives_that_mean_harm_are_refused(tmp_path, files, said):
    archive, target = zipped(tmp_path / "upload.zip", files), tmp_path / "folder"
    target.mkdir()
    with pytest.raises(BadWeights, match=said):
        unpack(archive, target)
    assert not list(target.iterdir())


def test_links_in_an_archive_are_refused(tmp_path):
    archive = zipped(tmp_path / "upload.zip", {"m/config.json": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777)
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadWeights, match="link"):
        unpack(archive, tmp_path / "folder")


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "upload.zip").write_bytes(b"PK\x03\x04 no more")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadWeights, match="zip archive"):
        unpack(tmp_path / "upload.zip", tmp_path / "folder")


def test_what_a_model_says_of_itself_is_kept_only_where_a_database_takes_it(tmp_path):
    said = {
        "model_type": "llama\x00",
        "architectures": ["A" * 10_000],
        "max_position_embeddings": 10**30,
        "num_hidden_layers": True,
        "hidden_size": 64,
    }
    folder = whole(tmp_path / "m", **said)
    (folder / "LICENSE").write_bytes(b"mit\x00\x1b[2J\n")
    facts = look_into(folder)
    assert facts.architecture == {"hidden_size": 64, "dtype": facts.architecture["dtype"]}
    assert facts.licence == "mit[2J"


def test_an_archive_whose_bytes_are_broken_says_so(tmp_path):
    archive = tmp_path / "upload.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("m/config.json", json.dumps(list(range(1000))))
    spoiled = bytearray(archive.read_bytes())
    spoiled[60:400] = b"\xff" * 340
    archive.write_bytes(spoiled)
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadWeights, match="zip archive"):
        unpack(archive, tmp_path / "folder")
