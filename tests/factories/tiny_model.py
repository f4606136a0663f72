"""A random model of some thousand weights with a tokenizer of bytes, made on the spot in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: ChatML, as the embedded model writes it.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_MARKS = ("<|pad|>", "<|im_start|>", "<|im_end|>")


def tiny_model(seed: int = 0) -> tuple[Any, Any]:
    """The model (float32, eval) and its tokenizer. The same seed gives the same weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=0.2,  # wide enough that what it says differs from prompt to prompt
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    return model.eval(), tokenizer


def tiny_tokenizer() -> Any:
    """One token a byte, and three special ones: 0 pads, 1 opens a message, 2 closes it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate([*_MARKS, *alphabet])}
    bytes_only = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_only,
        pad_token=_MARKS[0],
        bos_token=_MARKS[1],
        eos_token=_MARKS[2],
        model_max_length=1024,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def tiny_model_folder(path: Path, seed: int = 0) -> Path:
    """A whole model folder of about 120 kB: config, weights as safetensors, tokenizer, chat template."""
    model, tokenizer = tiny_model(seed)
    path.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def tiny_adapter_folder(path: Path, base: Path, seed: int = 1, rank: int = 4) -> Path:
    """A LoRA adapter on the tiny model with random weights: it answers otherwise than its base."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    random = torch.Generator().manual_seed(seed)
    for name, weights in adapted.named_parameters():
        if "lora_" in name:
            weights.data.copy_(torch.randn(weights.shape, generator=random) * 0.3)
    path.mkdir(parents=True, exist_ok=True)
    adapted.save_pretrained(path)
    return path
