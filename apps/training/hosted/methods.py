"""Which methods a provider's model can be fine-tuned with.

OpenAI's own models are known by family (its guide "Model optimization"); any other server that speaks the
fine-tuning API says itself when it cannot.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from apps.providers.connection import DEFAULT_BASE_URL

SFT, DPO = "sft", "dpo"
#: Beginning of a model's name → methods. The longest beginning that fits holds.
_FAMILIES: dict[str, tuple[str, ...]] = {
    "gpt-4o": (SFT, DPO),
    "gpt-4o-audio": (),
    "gpt-4o-realtime": (),
    "gpt-4o-transcribe": (),
    "gpt-4o-mini": (SFT, DPO),
    "gpt-4o-mini-audio": (),
    "gpt-4o-mini-realtime": (),
    "gpt-4o-mini-transcribe": (),
    "gpt-4o-mini-tts": (),
    "gpt-4.1": (SFT, DPO),
    "gpt-4-": (SFT,),
    "gpt-3.5-turbo": (SFT,),
}


def hosted_methods(model: str, base_url: str = "") -> tuple[str, ...]:
    """Methods by which a model of an OpenAI-compatible provider may be fine-tuned, best known first.

    `model` is its name there, a fine-tuned one ("ft:gpt-4o-mini:…") too; `base_url` is the provider's, ""
    for OpenAI's own. KTO is in no provider's API. () means: not at all.
    """
    if not is_openai(base_url):
        return (SFT, DPO)
    name = base_name(model)
    families = [family for family in _FAMILIES if name.startswith(family)]
    return _FAMILIES[max(families, key=len)] if families else ()


def base_name(model: str) -> str:
    """What a fine-tuned model was made from: "ft:gpt-4o-mini:org::id" → "gpt-4o-mini"."""
    return model.split(":")[1] if model.startswith("ft:") and model.count(":") > 1 else model


def is_openai(base_url: str) -> bool:
    return urlsplit(base_url or DEFAULT_BASE_URL).hostname == urlsplit(DEFAULT_BASE_URL).hostname
