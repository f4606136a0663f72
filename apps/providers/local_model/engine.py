"""The embedded model in this process: loaded once, kept in memory, answering in batches.

Only worker processes call it. It loads torch on first use; importing this module does not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.providers.local_model.batching import BatchLimits, batches
from apps.providers.local_model.folder import (
    CONTEXT_WINDOW,
    MODEL_NAME,
    LocalModelUnavailable,
    model_folder,
)
from apps.providers.protocol import CompletionRequest, CompletionResponse, ErrorKind, ProviderError
from apps.providers.torch_environment import prepare_for_torch

if TYPE_CHECKING:
    from apps.providers.local_model.likelihood import Likelihood, Text, TextTooLong
    from apps.providers.local_model.requests import RequestReader
    from apps.providers.local_model.sampling import Row

log = logging.getLogger(__name__)

#: About 46 kB of attention memory a token on CPU (30 layers, 3 heads of 64, float32): 750 MB at most.
CPU_LIMITS = BatchLimits(rows=16, tokens=16_384)
GPU_LIMITS = BatchLimits(rows=128, tokens=262_144)
Result = CompletionResponse | ProviderError


@dataclass(frozen=True, slots=True)
class _Told:
    """How a caller of `generate` follows it, and breaks it off."""

    cancelled: threading.Event | None
    on_text: Callable[[int, str], None] | None
    on_result: Callable[[int, Result], None] | None
    stopped: Callable[[int], bool] | None

    @property
    def gives_up(self) -> bool:
        return self.cancelled is not None and self.cancelled.is_set()


class LocalEngine:
    """One model in memory. `generate` may be called from several threads; batches take turns."""

    _shared: LocalEngine | None = None
    _shared_lock = threading.Lock()

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._lock = threading.Lock()
        self._model: Any = None
        self._tokenizer: Any = None
        self._reader: RequestReader | None = None
        self._limits = CPU_LIMITS

    @classmethod
    def shared(cls) -> LocalEngine:
        """The process's one engine, with the model in the stack's data folder."""
        with cls._shared_lock:
            if cls._shared is None:
                from django.conf import settings

                cls._shared = cls(settings.STACK.models)
            return cls._shared

    def load(self) -> None:
        """Bring the model into memory, converting it first where that was never done.

        Raises ProviderError(CONNECTION) when the model is not installed or there is no room for it.
        """
        with self._lock:
            if self._model is None:
                try:
                    self._load()
                except (LocalModelUnavailable, OSError) as error:
                    raise ProviderError(str(error), kind=ErrorKind.CONNECTION) from error

    def _load(self) -> None:
        prepare_for_torch()
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging as transformers_logging

        from apps.providers.local_model.requests import RequestReader

        started = time.perf_counter()
        folder = model_folder(self._models_dir).path
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        on_gpu = torch.cuda.is_available()
        dtype = torch.bfloat16 if on_gpu else torch.float32
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        self._model = model.to("cuda" if on_gpu else "cpu").eval()
        self._tokenizer = tokenizer
        self._reader = RequestReader(tokenizer, model_name=MODEL_NAME, context_window=CONTEXT_WINDOW)
        self._limits = GPU_LIMITS if on_gpu else CPU_LIMITS
        log.info("The embedded model is in memory after %.1f s.", time.perf_counter() - started)

    @property
    def loaded(self) -> bool:
        return self._model is not None

    def generate(
        self,
        requests: Sequence[CompletionRequest],
        *,
        cancelled: threading.Event | None = None,
        on_text: Callable[[int, str], None] | None = None,
        on_result: Callable[[int, Result], None] | None = None,
        stopped: Callable[[int], bool] | None = None,
    ) -> list[Result]:
        """Answer the requests, in their order; what failed is a ProviderError in its place.

        `on_text(index, text so far)` is called after each token, `on_result(index, result)` as soon as that
        one is answered. A request for which `stopped(index)` says so ends with what it has, the others go
        on. When `cancelled` is set, the rest is given up and answered with ProviderError(TIMEOUT). Raises
        ProviderError when the model cannot be loaded at all. Token counts are of each request alone: no
        padding, and the end-of-turn token counts as output.
        """
        if not requests:
            return []
        self.load()
        told = _Told(cancelled, on_text, on_result, stopped)
        results: list[Result | None] = [None] * len(requests)
        rows: list[Row] = []
        assert self._reader is not None
        for index, request in enumerate(requests):
            try:
                rows.append(self._reader.row(index, request))
            except ProviderError as error:
                results[index] = error
        for batch in batches(rows, self._limits):
            with self._lock:
                self._answer(batch, results, told)
        return [result for result in results if result is not None]

    def likelihoods(self, texts: Sequence[Text]) -> list[Likelihood | TextTooLong]:
        """How likely the model finds each text, in order. Raises ProviderError when it cannot be loaded."""
        from apps.providers.local_model.likelihood import likelihoods

        self.load()
        with self._lock:
            return likelihoods(self._model, self._tokenizer, texts, self._limits)

    def _answer(
        self,
        batch: list[Row],
        results: list[Result | None],
        told: _Told,
    ) -> None:
        """Fill in the batch's results; a batch that does not fit into memory is halved."""
        import torch

        if told.gives_up:
            outputs = None
        else:
            try:
                outputs = self._run(batch, told)
            except (torch.OutOfMemoryError, MemoryError):
                if len(batch) == 1:
                    results[batch[0].index] = _out_of_memory(batch[0])
                    return
                middle = len(batch) // 2
                self._answer(batch[:middle], results, told)
                self._answer(batch[middle:], results, told)
                return
        for number, row in enumerate(batch):
            if outputs is None or told.gives_up:
                results[row.index] = _given_up()
            else:
                results[row.index] = self._response(row, outputs[number])

    def _run(self, batch: list[Row], told: _Told) -> list[list[int]]:
        """New token ids of each row, its end-of-turn token included."""
        import torch

        from apps.providers.local_model.decoding import decode
        from apps.providers.local_model.sampling import RowEnds

        end_ids = frozenset({self._tokenizer.eos_token_id})
        ends = RowEnds(
            tokenizer=self._tokenizer,
            end_ids=end_ids,
            cancelled=told.cancelled,
            on_text=told.on_text,
            on_end=self._on_end(told),
            stopped=told.stopped,
        )
        with torch.inference_mode():
            return decode(self._model, batch, ends, pad=self._tokenizer.pad_token_id)

    def _on_end(self, told: _Told) -> Callable[[Row, list[int]], None] | None:
        on_result = told.on_result
        if on_result is None:
            return None
        return lambda row, new_ids: (
            None if told.gives_up else on_result(row.index, self._response(row, new_ids))
        )

    def _response(self, row: Row, new_ids: list[int]) -> CompletionResponse:
        end = self._tokenizer.eos_token_id
        ended = new_ids[-1] == end
        count = len(new_ids)
        text = self._tokenizer.decode(new_ids, skip_special_tokens=True)
        cut = min((text.find(stop) for stop in row.stop if stop in text), default=None)
        if cut is not None:
            text, ended = text[:cut], True
        if not ended:
            text = text.rstrip("\ufffd")  # the limit may fall within a character
        return CompletionResponse(
            text=text.replace("\x00", "\ufffd"),
            tool_calls=(),
            finish_reason="stop" if ended else "length",
            input_tokens=len(row.input_ids),
            output_tokens=count,
            time_to_first_token_s=None,
            duration_s=row.ended_at or 0.0,
            model=MODEL_NAME,
            raw={"model": MODEL_NAME, "text": text},
        )


def _given_up() -> ProviderError:
    return ProviderError(
        "The embedded model was told to stop before it had answered.", kind=ErrorKind.TIMEOUT
    )


def _out_of_memory(row: Row) -> ProviderError:
    return ProviderError(
        f"There is not enough memory for {len(row.input_ids)} tokens of input and {row.max_new} of answer.",
        kind=ErrorKind.OVERLOADED,
    )
