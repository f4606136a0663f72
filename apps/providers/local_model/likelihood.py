"""How likely the embedded model finds a text: the negative log-likelihood of its tokens, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.providers.chat_template.rendering import ChatTemplate
from apps.providers.local_model.batching import BatchLimits, batches
from apps.providers.local_model.folder import CONTEXT_WINDOW

#: Log-probabilities of so many tokens at once: 50 MB with a vocabulary of 49,152 in float32.
POSITIONS = 256


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and the chat that it answers: messages as {"role", "content"}; none for the text alone."""

    text: str
    messages: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Likelihood:
    """`nats` is the sum of -ln p(token | what is before it) over `tokens` tokens."""

    nats: float
    tokens: int


@dataclass(slots=True)
class _Row:
    index: int
    input_ids: list[int]
    #: Where the text begins in `input_ids`: what is before is given, and not counted.
    begins: int
    max_new: int = 0


class TextTooLong(ValueError):
    """The chat and the text together do not fit into the model."""


def likelihoods(
    model: Any, tokenizer: Any, texts: Sequence[Text], limits: BatchLimits
) -> list[Likelihood | TextTooLong]:
    """One for each text, in order. A text without a token has (0, 0).

    After a chat, the text stands where the assistant's answer does; the end-of-turn token is not counted.
    Alone it stands after the model's beginning-of-text token.
    """
    results: list[Likelihood | TextTooLong] = [Likelihood(0.0, 0) for _ in texts]
    rows = []
    for index, text in enumerate(texts):
        row = _row(tokenizer, index, text)
        if len(row.input_ids) > CONTEXT_WINDOW:
            results[index] = TextTooLong(
                f"Prompt and output are {len(row.input_ids)} tokens long; the model holds {CONTEXT_WINDOW}."
            )
        elif len(row.input_ids) > row.begins:
            rows.append(row)
    for batch in batches(rows, limits):
        for row, nats in _measured(model, tokenizer, batch):
            results[row.index] = Likelihood(nats, len(row.input_ids) - row.begins)
    return results


def _row(tokenizer: Any, index: int, text: Text) -> _Row:
    if text.messages:
        chat = [{"role": each["role"], "content": each.get("content") or ""} for each in text.messages]
        shown = ChatTemplate.of_tokenizer(tokenizer).render(chat, asks=True)
        given: list[int] = tokenizer(shown, add_special_tokens=False)["input_ids"]
    else:
        given = [tokenizer.bos_token_id]
    ids: list[int] = tokenizer(text.text, add_special_tokens=False)["input_ids"]
    return _Row(index, given + ids, len(given))


def _measured(model: Any, tokenizer: Any, batch: Sequence[_Row]) -> Iterator[tuple[_Row, float]]:
    """Each row with its nats. Rows are padded on the right, where nothing that counts looks."""
    import torch

    width = max(len(row.input_ids) for row in batch)
    pad = tokenizer.pad_token_id
    ids = torch.tensor([row.input_ids + [pad] * (width - len(row.input_ids)) for row in batch])
    mask = torch.tensor([[1] * len(row.input_ids) + [0] * (width - len(row.input_ids)) for row in batch])
    with torch.inference_mode():
        hidden = model.model(
            input_ids=ids.to(model.device), attention_mask=mask.to(model.device)
        ).last_hidden_state
        for number, row in enumerate(batch):
            nats = 0.0
            for begin in range(row.begins, len(row.input_ids), POSITIONS):
                end = min(begin + POSITIONS, len(row.input_ids))
                logits = model.lm_head(hidden[number, begin - 1 : end - 1]).float()
                wanted = torch.tensor(row.input_ids[begin:end], device=logits.device)
                nats += float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum"))
            yield row, nats
