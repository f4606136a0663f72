"""What the model in training answers to the fixed prompts, so that one sees what the figures mean."""

from __future__ import annotations

from typing import Any

from apps.training.trainer.failures import TrainingDataError
from apps.training.trainer.spec import Messages


class Sampler:
    """Answers all prompts greedily in one batch. Draws no random number: the training does not notice."""

    def __init__(self, tokenizer: Any, samples: list[Messages], *, tokens: int, room: int) -> None:
        """`room`: the longest prompt in tokens; of a longer one the end is kept."""
        self._tokenizer = tokenizer
        self._tokens = tokens
        try:
            texts = [
                tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
                for messages in samples
            ]
        except Exception as error:
            raise TrainingDataError(f"The base's chat template refuses a sample prompt: {error}") from error
        self._prompts = [
            ids[-room:] for ids in (tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else [])
        ]

    def __len__(self) -> int:
        return len(self._prompts)

    def answers(self, model: Any) -> list[str]:
        import torch

        width = max(len(ids) for ids in self._prompts)
        pad = self._tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(ids)) + ids for ids in self._prompts], device=model.device)
        mask = torch.tensor(
            [[0] * (width - len(ids)) + [1] * len(ids) for ids in self._prompts], device=model.device
        )
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad():
                made = model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=self._tokens,
                    do_sample=False,
                    temperature=None,
                    top_p=None,
                    top_k=None,
                    use_cache=True,
                    pad_token_id=pad,
                )
        finally:
            model.train(was_training)
        return [
            text.strip() for text in self._tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)
        ]
