"""What is in this process's memory: whole models within a budget, and adapters beside their layers.

The least recently used leave first: of adapters when there are more than so many, of whole models (with the
adapters on them) when the next one would not fit.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.providers.local_model.folder import CONTEXT_WINDOW, model_folder
from apps.providers.local_model.lora import why_not_switched
from apps.providers.local_model.served import Served, Weights
from apps.providers.local_model.weights import WeightsUnavailable, fetch

if TYPE_CHECKING:
    from apps.providers.local_model.loading import LoadedModel, Voice

log = logging.getLogger(__name__)

MOST_ADAPTERS = 8
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many adapters, and how many bytes of whole models; `model_bytes` 0: half of the memory there is."""

    adapters: int = MOST_ADAPTERS
    model_bytes: int = 0


class Residents:
    """Not for several threads at once: the engine's lock is held by whoever calls."""

    def __init__(self, models_dir: Path, bounds: Bounds) -> None:
        self._models_dir = models_dir
        self._bounds = bounds
        #: By keys of weights, the most recently used last.
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._adapters: OrderedDict[tuple[str, str], None] = OrderedDict()

    def has(self, weights: Weights) -> bool:
        """True when these whole weights are in memory."""
        return weights.key in self._models

    @property
    def names(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Keys of the models and of the adapters in memory, least recently used first."""
        return list(self._models), list(self._adapters)

    def ready(self, served: Served) -> tuple[Any, Voice]:
        """The model in memory, computing as this name does, and how that speaks.

        Raises LocalModelUnavailable, CannotLoad, OSError, MemoryError, torch.OutOfMemoryError.
        """
        if served.adapter is None:
            loaded = self._whole(served.whole)
            return loaded.model, loaded.switch(None)
        if _merged_key(served) in self._models:
            return self._alone(served, served.adapter)
        if served.key not in self._adapters:
            if why_not_switched(_adapter_config(fetch(served.adapter.place, served.adapter.fingerprint))):
                return self._alone(served, served.adapter)
            self._put_on(served, served.adapter)
        loaded = self._whole(served.whole)
        self._adapters.move_to_end(served.key)
        return loaded.model, loaded.switch(served.adapter.key)

    def _put_on(self, served: Served, adapter: Weights) -> None:
        folder = fetch(adapter.place, adapter.fingerprint)
        loaded = self._whole(served.whole)
        while len(self._adapters) >= max(1, self._bounds.adapters):
            base, oldest = next(iter(self._adapters))
            self._models[base].remove(oldest)
            del self._adapters[base, oldest]
        started = time.perf_counter()
        loaded.add(adapter.key, folder)
        self._adapters[served.key] = None
        log.info("%s: its adapter is in memory after %.2f s.", served.name, time.perf_counter() - started)

    def _alone(self, served: Served, adapter: Weights) -> tuple[Any, Voice]:
        """An adapter that changes its base has a copy of it, with which it is merged."""
        from apps.providers.local_model.loading import load_merged

        base, folder = self._folder(served.whole), fetch(adapter.place, adapter.fingerprint)
        window = CONTEXT_WINDOW if served.whole.is_embedded else None
        loaded = self._loaded(_merged_key(served), base, lambda: load_merged(base, folder, window=window))
        return loaded.model, loaded.switch(None)

    def _whole(self, weights: Weights) -> LoadedModel:
        if weights.key in self._models:
            self._models.move_to_end(weights.key)
            return self._models[weights.key]
        from apps.providers.local_model.loading import load_model

        folder = self._folder(weights)
        window = CONTEXT_WINDOW if weights.is_embedded else None
        return self._loaded(weights.key, folder, lambda: load_model(folder, window=window))

    def _folder(self, weights: Weights) -> Path:
        if weights.is_embedded:
            return model_folder(self._models_dir).path
        return fetch(weights.place, weights.fingerprint)

    def _loaded(self, key: str, folder: Path, load: Callable[[], LoadedModel]) -> LoadedModel:
        if key in self._models:
            self._models.move_to_end(key)
            return self._models[key]
        self._make_room(folder)
        started = time.perf_counter()
        try:
            loaded = load()
        except MemoryError:
            loaded = self._loaded_alone(load)
        self._models[key] = loaded
        log.info("The model %s is in memory after %.1f s.", key[:12], time.perf_counter() - started)
        return loaded

    def _loaded_alone(self, load: Callable[[], LoadedModel]) -> LoadedModel:
        """Once more, with nothing else in memory."""
        if not self._models:
            raise MemoryError
        while self._models:
            self._drop_oldest()
        return load()

    def _make_room(self, folder: Path) -> None:
        from apps.providers.local_model.loading import size_in_memory

        size, budget = size_in_memory(folder), self._bounds.model_bytes or half_of_memory()
        if size > budget and self._bounds.model_bytes:
            raise WeightsUnavailable(
                f"The model needs {size / 1e9:.1f} GB of memory; LLMOPS_LOCAL_MEMORY_GB allows "
                f"{budget / 1e9:.1f}."
            )
        while self._models and sum(each.size_bytes for each in self._models.values()) + size > budget:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        import torch

        key, _ = self._models.popitem(last=False)
        for gone in [each for each in self._adapters if each[0] == key]:
            del self._adapters[gone]
        log.info("The model %s leaves the memory.", key[:12])
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def half_of_memory() -> int:
    """Bytes: half of the GPU's memory where there is one, else of the machine's or its container's."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory) // 2
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = _CGROUP_LIMIT.read_text(encoding="ascii").strip()
    except OSError:
        limit = "max"
    return (min(total, int(limit)) if limit.isdecimal() else total) // 2


def _merged_key(served: Served) -> str:
    return "+".join(served.key)


def _adapter_config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsUnavailable(f"The adapter has no readable adapter_config.json: {error}") from None
    return config
