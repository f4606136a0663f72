"""The models in this process: loaded when they are first asked, kept in memory, answering in batches.

Requests for the same weights share batches; before each batch the model is switched to its weights. Only
worker processes call it. It loads torch on first use; importing this module does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.providers.local_model.batching import batches
from apps.providers.local_model.folder import LocalModelUnavailable
from apps.providers.local_model.residents import Bounds, Residents
from apps.providers.local_model.served import EMBEDDED_MODEL, Served, not_served
from apps.providers.protocol import CompletionRequest, CompletionResponse, ErrorKind, ProviderError
from apps.providers.torch_environment import prepare_for_torch

if TYPE_CHECKING:
    from apps.providers.local_model.likelihood import Likelihood, Text, TextTooLong
    from apps.providers.local_model.loading import Voice
    from apps.providers.local_model.sampling import Row

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
    """Models in memory. `generate` may be called from several threads; batches take turns."""

    _shared: LocalEngine | None = None
    _shared_lock = threading.Lock()

    def __init__(self, models_dir: Path, bounds: Bounds | None = None) -> None:
        self._lock = threading.Lock()
        self._residents = Residents(models_dir, bounds or Bounds())

    @classmethod
    def shared(cls) -> LocalEngine:
        """The process's one engine, with the embedded model in the stack's data folder."""
        with cls._shared_lock:
            if cls._shared is None:
                from django.conf import settings

                bounds = Bounds(settings.LOCAL_ADAPTERS, settings.LOCAL_MEMORY_BYTES)
                cls._shared = cls(settings.STACK.models, bounds)
            return cls._shared

    def load(self) -> None:
        """Bring the embedded model into memory, converting it first where that was never done.

        Raises ProviderError(CONNECTION) when the model is not installed or there is no room for it.
        """
        with self._lock:
            self._ready(EMBEDDED_MODEL)

    def in_memory(self, served: Served = EMBEDDED_MODEL) -> tuple[Any, Voice]:
        """The model of transformers, switched to what is served, and how it speaks. Raises ProviderError.

        It stays so until the engine's next batch.
        """
        with self._lock:
            return self._ready(served)

    @property
    def loaded(self) -> bool:
        """True when the embedded model is in memory."""
        return self._residents.has(EMBEDDED_MODEL.whole)

    @property
    def residents(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Keys of the models and of the adapters in memory, least recently used first."""
        return self._residents.names

    def generate(
        self,
        requests: Sequence[CompletionRequest],
        *,
        served: Sequence[Served | ProviderError] | None = None,
        cancelled: threading.Event | None = None,
        on_text: Callable[[int, str], None] | None = None,
        on_result: Callable[[int, Result], None] | None = None,
        stopped: Callable[[int], bool] | None = None,
    ) -> list[Result]:
        """Answer the requests, in their order; what failed is a ProviderError in its place.

        `served` says what answers each request; without it, only the embedded model does.
        `on_text(index, text so far)` is called after each token, `on_result(index, result)` as soon as that
        one is answered. A request for which `stopped(index)` says so ends with what it has, the others go
        on. When `cancelled` is set, the rest is given up and answered with ProviderError(TIMEOUT). Token
        counts are of each request alone: no padding, and the end-of-turn token counts as output.
        """
        behind = [_embedded(request) for request in requests] if served is None else served
        results: list[Result | None] = [one if isinstance(one, ProviderError) else None for one in behind]
        told = _Told(cancelled, on_text, on_result, stopped)
        queues: dict[tuple[str, str], list[int]] = {}
        for index, one in enumerate(behind):
            if isinstance(one, Served):
                queues.setdefault(one.key, []).append(index)
        for indexes in queues.values():
            first = behind[indexes[0]]
            assert isinstance(first, Served)
            self._answer_queue(first, {index: requests[index] for index in indexes}, results, told)
        return [result for result in results if result is not None]

    def _answer_queue(
        self,
        served: Served,
        requests: Mapping[int, CompletionRequest],
        results: list[Result | None],
        told: _Told,
    ) -> None:
        """Fill in the results of requests that the same weights answer."""
        try:
            with self._lock:
                _, voice = self._ready(served)
            rows: list[Row] = []
            for index, request in requests.items():
                try:
                    rows.append(voice.reader.row(index, request))
                except ProviderError as error:
                    results[index] = error
            for batch in batches(rows, voice.limits):
                with self._lock:
                    model, voice = self._ready(served)  # others may have had their turn since
                    BatchOfRows(model, voice, requests, results, told).answer(batch)
        except ProviderError as error:  # the weights cannot be loaded
            for index in requests:
                if results[index] is None:
                    results[index] = error

    def _ready(self, served: Served) -> tuple[Any, Voice]:
        """The model, computing as `served` does. Raises ProviderError."""
        prepare_for_torch()
        from apps.providers.local_model.loading import CannotLoad

        try:
            return self._residents.ready(served)
        except (LocalModelUnavailable, OSError) as error:
            raise ProviderError(str(error), kind=ErrorKind.CONNECTION) from error
        except CannotLoad as error:
            text = f"The model {served.name} cannot be loaded. {error}"
            raise ProviderError(text, kind=ErrorKind.UNKNOWN_MODEL) from error
        except MemoryError as error:
            raise ProviderError(
                f"There is not enough memory on this worker for the model {served.name}.",
                kind=ErrorKind.OVERLOADED,
            ) from error

    def likelihoods(self, texts: Sequence[Text]) -> list[Likelihood | TextTooLong]:
        """How likely the embedded model finds each text, in order. Raises ProviderError when it cannot be
        loaded."""
        with self._lock:
            model, voice = self._ready(EMBEDDED_MODEL)
            from apps.providers.local_model.likelihood import likelihoods

            return likelihoods(model, voice.tokenizer, texts, voice.limits)


def _embedded(request: CompletionRequest) -> Served | ProviderError:
    return EMBEDDED_MODEL if request.model == EMBEDDED_MODEL.name else not_served(request.model)


@dataclass(frozen=True, slots=True)
class BatchOfRows:
    """A model that is switched to its weights, and where the answers of a batch go."""

    model: Any
    voice: Voice
    requests: Mapping[int, CompletionRequest]
    results: list[Result | None]
    told: _Told

    def answer(self, batch: list[Row]) -> None:
        """Fill in the batch's results; a batch that does not fit into memory is halved."""
        import torch

        if self.told.gives_up:
            outputs = None
        else:
            try:
                outputs = self._run(batch)
            except (torch.OutOfMemoryError, MemoryError):
                if len(batch) == 1:
                    self.results[batch[0].index] = _out_of_memory(batch[0])
                    return
                middle = len(batch) // 2
                self.answer(batch[:middle])
                self.answer(batch[middle:])
                return
        for number, row in enumerate(batch):
            if outputs is None or self.told.gives_up:
                self.results[row.index] = _given_up()
            else:
                self.results[row.index] = self._response(row, outputs[number])

    def _run(self, batch: list[Row]) -> list[list[int]]:
        """New token ids of each row, its end-of-turn token included."""
        import torch

        from apps.providers.local_model.decoding import decode
        from apps.providers.local_model.sampling import RowEnds

        ends = RowEnds(
            tokenizer=self.voice.tokenizer,
            end_ids=self.voice.end_ids,
            cancelled=self.told.cancelled,
            on_text=self.told.on_text,
            on_end=self._on_end(),
            stopped=self.told.stopped,
        )
        with torch.inference_mode():
            return decode(self.model, batch, ends, pad=self.voice.pad_id)

    def _on_end(self) -> Callable[[Row, list[int]], None] | None:
        on_result = self.told.on_result
        if on_result is None:
            return None
        return lambda row, new_ids: (
            None if self.told.gives_up else on_result(row.index, self._response(row, new_ids))
        )

    def _response(self, row: Row, new_ids: list[int]) -> CompletionResponse:
        ended = new_ids[-1] in self.voice.end_ids
        spoken = new_ids[:-1] if ended else new_ids
        text: str = self.voice.tokenizer.decode(spoken, skip_special_tokens=True)
        cut = min((text.find(stop) for stop in row.stop if stop in text), default=None)
        if cut is not None:
            text, ended = text[:cut], True
        if not ended:
            text = text.rstrip("\ufffd")  # the limit may fall within a character
        model = self.requests[row.index].model
        return CompletionResponse(
            text=text.replace("\x00", "\ufffd"),
            tool_calls=(),
            finish_reason="stop" if ended else "length",
            input_tokens=len(row.input_ids),
            output_tokens=len(new_ids),
            time_to_first_token_s=None,
            duration_s=row.ended_at or 0.0,
            model=model,
            raw={"model": model, "text": text},
        )


def _given_up() -> ProviderError:
    return ProviderError("The model was told to stop before it had answered.", kind=ErrorKind.TIMEOUT)


def _out_of_memory(row: Row) -> ProviderError:
    return ProviderError(
        f"There is not enough memory for {len(row.input_ids)} tokens of input and {row.max_new} of answer.",
        kind=ErrorKind.OVERLOADED,
    )
