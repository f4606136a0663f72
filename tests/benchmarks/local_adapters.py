"""Two adapters and their base in one queue on the embedded model, against each of them alone.

Greedy, in float32. The adapters are random ones, strong enough that they change what is said. Each prompt is
asked of all three in one queue, which switches the one base for its batches; then each of the three has an
engine and a base of its own. Run as: python -m tests.benchmarks.local_adapters.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.local_model import prompts

if TYPE_CHECKING:
    from apps.providers.local_model.served import Weights

#: Share of a layer's own size that an adapter adds: enough to change the words, and they remain words.
STRENGTH = 0.02


def measure(*, rows: int, tokens: int, scratch: Path) -> dict[str, Any]:
    """The figures: share of rows with the same text, and what a switch costs."""
    from django.conf import settings

    from apps.providers.local_model.engine import LocalEngine
    from apps.providers.local_model.residents import Bounds
    from apps.providers.local_model.served import EMBEDDED_MODEL, EMBEDDED_WEIGHTS, Served

    settings.BASE_MODELS_DIR = scratch
    shared = LocalEngine(settings.STACK.models)
    voices = [EMBEDDED_MODEL]
    for seed in (1, 2):
        name = f"adapter-{seed}"
        adapter = _make_adapter(shared, scratch / name, seed)
        voices.append(Served(name, EMBEDDED_WEIGHTS, adapter))
    texts = prompts(rows)
    queue = [(of, text) for text in texts for of in voices]
    began = time.perf_counter()
    mixed = _answers(shared, queue, tokens)
    mixed_s = time.perf_counter() - began
    alone: list[list[str]] = []
    for of in voices:
        lone = LocalEngine(settings.STACK.models, Bounds())
        lone.in_memory(of)
        began = time.perf_counter()
        alone.append(_answers(lone, [(of, text) for text in texts], tokens))
        mixed_s -= time.perf_counter() - began
        del lone
        gc.collect()
        print(f"  {of.name} alone is answered", file=sys.stderr, flush=True)
    same = [
        sum(one == other for one, other in zip(mixed[number :: len(voices)], alone[number], strict=True))
        for number in range(len(voices))
    ]
    return {
        "prompts": rows,
        "max_tokens": tokens,
        "same": dict(zip([of.name for of in voices], [count / rows for count in same], strict=True)),
        "differ_from_base": [
            sum(one != other for one, other in zip(alone[0], mine, strict=True)) / rows for mine in alone[1:]
        ],
        "longer_than_alone_s": mixed_s,
        "switch_ms": _switch_ms(shared, voices),
    }


def _make_adapter(engine: Any, folder: Path, seed: int) -> Weights:
    """A random LoRA adapter of rank 8 on the attention of the embedded model, as the registry names it."""
    import torch
    from safetensors.torch import save_file

    from apps.providers.local_model.served import Weights
    from apps.providers.local_model.weights import file_hash, fingerprint_of

    model, _ = engine.in_memory()
    random, weights = torch.Generator().manual_seed(seed), {}
    for name, module in model.named_modules():
        if name.endswith(("q_proj", "v_proj")) and hasattr(module, "weight"):
            out, into = module.weight.shape
            scale = STRENGTH * float(module.weight.norm()) / (out * into) ** 0.5
            key = f"base_model.model.{name}"
            weights[f"{key}.lora_A.weight"] = torch.randn(8, into, generator=random)
            weights[f"{key}.lora_B.weight"] = torch.randn(out, 8, generator=random) * scale
    folder.mkdir(parents=True)
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    files = {path.name: {"sha256": file_hash(path), "size": path.stat().st_size} for path in folder.iterdir()}
    fingerprint = fingerprint_of({path: str(file["sha256"]) for path, file in files.items()})
    return Weights({"kind": "folder", "name": folder.name, "files": files}, fingerprint)


def _answers(engine: Any, queue: list[tuple[Any, str]], tokens: int) -> list[str]:
    from apps.providers.protocol import CompletionRequest, Message, Parameters

    requests = [
        CompletionRequest(of.name, (Message("user", text),), Parameters(of.name, 0.0, max_tokens=tokens))
        for of, text in queue
    ]
    results = engine.generate(requests, served=[of for of, _ in queue])
    failed = next((result for result in results if isinstance(result, Exception)), None)
    if failed is not None:
        raise failed
    return [result.text for result in results]


def _switch_ms(engine: Any, voices: list[Any]) -> float:
    """Milliseconds for one switch, the mean of thirty."""
    for of in voices:
        engine.in_memory(of)
    began = time.perf_counter()
    for _ in range(10):
        for of in voices:
            engine.in_memory(of)
    return (time.perf_counter() - began) / (10 * len(voices)) * 1000


def report(found: dict[str, Any]) -> str:
    same = ", ".join(f"{name} {share:.1%}" for name, share in found["same"].items())
    other = ", ".join(f"{share:.0%}" for share in found["differ_from_base"])
    return "\n".join(
        [
            f"{found['prompts']} prompts, asked of two adapters and their base in one queue, greedy, at most "
            f"{found['max_tokens']} tokens",
            f"same text as alone     {same}",
            f"the adapters' answers differ from the base's in {other} of the rows",
            f"a switch               {found['switch_ms']:.1f} ms",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=24, help="at most so many tokens an answer")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import django

    django.setup()
    with tempfile.TemporaryDirectory(prefix="llmops-adapters-") as scratch:
        found = measure(rows=chosen.rows, tokens=chosen.tokens, scratch=Path(scratch))
    print(json.dumps(found, indent=2) if chosen.json else report(found))


if __name__ == "__main__":
    main()
