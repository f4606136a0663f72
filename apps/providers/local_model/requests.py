"""From a completion request to a row of tokens, refusing what a local model cannot do.

Everything is checked before any memory is taken for the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.providers.chat_template.rendering import ChatTemplate, TemplateRefused
from apps.providers.local_model.sampling import Row
from apps.providers.protocol import CompletionRequest, ErrorKind, Message, ProviderError

DEFAULT_MAX_TOKENS = 256
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_EXTRAS = {"top_k"}


class RequestReader:
    """Reads requests for one tokenizer and context window (tokens)."""

    def __init__(self, tokenizer: Any, *, context_window: int) -> None:
        self._tokenizer = tokenizer
        self._template = ChatTemplate.of_tokenizer(tokenizer)
        self._window = context_window
        #: In bytes, or more: some vocabularies write a byte as one character, others characters as they are.
        self._longest_token = max(len(token.encode()) for token in tokenizer.get_vocab())

    def row(self, index: int, request: CompletionRequest) -> Row:
        """The row for this request. Raises ProviderError (BAD_REQUEST, CONTEXT_LENGTH)."""
        if request.tools or request.response_schema is not None:
            raise _refused("A local model takes no tools and no response schema: choose another model.")
        parameters = request.parameters
        temperature = _number("temperature", parameters.temperature, default=0.0, low=0.0, high=10.0)
        top_p = _number("top_p", parameters.top_p, default=1.0, low=0.0, high=1.0)
        input_ids = self._input_ids(request)
        return Row(
            index=index,
            input_ids=input_ids,
            max_new=self._max_new(request.model, len(input_ids), parameters.max_tokens),
            temperature=temperature,
            top_p=top_p,
            top_k=_top_k(parameters.extra),
            seed=parameters.seed,
            stop=tuple(stop for stop in parameters.stop if stop),
        )

    def _input_ids(self, request: CompletionRequest) -> list[int]:
        if not request.messages:
            raise _refused("There is no message to answer.")
        chat = [_chat_message(message) for message in request.messages]
        size = sum(len(message["content"].encode("utf-8", "replace")) for message in chat)
        at_least = size // self._longest_token
        if at_least > self._window:  # so long that even counting its tokens would cost
            raise self._too_long(request.model, f"more than {at_least} tokens", 0)
        try:
            text = self._template.render(chat, asks=True)
        except TemplateRefused as error:  # some take no system message
            raise _refused(f"The chat template of {request.model} refuses these messages: {error}") from error
        except OSError as error:  # the machine has no room for one more process just now
            raise ProviderError(str(error), kind=ErrorKind.CONNECTION) from error
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _max_new(self, model: str, input_length: int, wanted: int | None) -> int:
        if wanted is not None and wanted < 1:
            raise _refused("max_tokens must be at least 1.")
        room = self._window - input_length
        if room < (wanted or 1):
            raise self._too_long(model, f"{input_length} tokens", wanted or 1)
        return wanted or min(DEFAULT_MAX_TOKENS, room)

    def _too_long(self, model: str, length: str, wanted: int) -> ProviderError:
        answer = f" and the answer may have {wanted}" if wanted > 1 else ""
        return ProviderError(
            f"The messages are {length} long{answer}; {model} holds {self._window} in all. "
            "Shorten the messages or lower max_tokens.",
            kind=ErrorKind.CONTEXT_LENGTH,
        )


def _chat_message(message: Message) -> dict[str, str]:
    role = _ROLES.get(message.role)
    if role is None or message.tool_calls:
        raise _refused(f"A local model knows no messages with the role {message.role} or with tool calls.")
    return {"role": role, "content": message.content}


def _number(name: str, value: float | None, *, default: float, low: float, high: float) -> float:
    if value is None:
        return default
    if not low <= value <= high:  # refuses NaN as well
        raise _refused(f"{name} must be between {low:g} and {high:g}; it is {value}.")
    return float(value)


def _top_k(extra: Mapping[str, Any]) -> int:
    unknown = sorted(set(extra) - _EXTRAS)
    if unknown:
        raise _refused(
            f"A local model does not know the parameter {unknown[0]}; of extra ones it knows top_k."
        )
    value = extra.get("top_k", 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _refused("top_k must be a whole number, 0 for no limit.")
    return value


def _refused(message: str) -> ProviderError:
    return ProviderError(message, kind=ErrorKind.BAD_REQUEST)
