"""From a run's plan and an example to the request that is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apps.evaluations.engine.work import WorkItem
from apps.evaluations.models import EvalRun
from apps.prompts.rendering import render_messages
from apps.providers.protocol import CompletionRequest, Message, Parameters, ToolCall

_NAMED = ("temperature", "top_p", "max_tokens", "seed")


class RequestBuilder:
    """Builds the requests of one run; what is the same for all items is worked out once."""

    def __init__(self, run: EvalRun) -> None:
        if run.prompt_version is None or run.model is None:
            raise ValueError(f"Run {run.pk} has no prompt to render.")
        self._messages = run.prompt_version.messages
        self._includes = run.prompt_version.includes
        self._parameters = parameters_of(run.parameters)
        self._model = run.model.name
        self._tools = tuple(run.prompt_version.tools)
        self._schema = run.prompt_version.response_schema
        self._seed = run.seed

    def build(self, item: WorkItem) -> CompletionRequest:
        """The request for one item. Raises RenderError.

        A seeded run gives each repetition a seed of its own, so that repetitions differ and can be had again.
        """
        parameters = self._parameters
        if self._seed is not None:
            parameters = replace(parameters, seed=self._seed + item.repetition - 1)
        rendered = render_messages(self._messages, item.inputs, includes=self._includes)
        messages = tuple(map(request_message, rendered))
        return CompletionRequest(
            model=self._model,
            messages=messages,
            parameters=parameters,
            tools=self._tools,
            response_schema=self._schema,
        )


def parameters_of(values: Mapping[str, Any]) -> Parameters:
    """A prompt version's parameters as the protocol's; what the protocol does not name goes into `extra`."""
    known = {name: values[name] for name in _NAMED if values.get(name) is not None}
    extra = {name: value for name, value in values.items() if name not in (*_NAMED, "model", "stop", "extra")}
    stop = values.get("stop") or ()
    return Parameters(
        model=str(values.get("model", "")),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        extra={**extra, **(values.get("extra") or {})},
        **known,
    )


def request_message(rendered: Mapping[str, Any]) -> Message:
    """A rendered message as the protocol's."""
    calls = tuple(_tool_call(call) for call in rendered.get("tool_calls") or ())
    return Message(
        role=rendered["role"],
        content=rendered.get("content") or "",
        tool_calls=calls,
        tool_call_id=rendered.get("tool_call_id"),
        name=rendered.get("name"),
    )


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function", call)
    return ToolCall(
        id=str(call.get("id", "")), name=str(function["name"]), arguments=str(function["arguments"])
    )
