"""A whole model from a folder: safetensors alone, no code of its own, and every weight from its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class WeightsMissing(ValueError):
    """Files lack weights that the configuration speaks of; they would be made up at random."""


def whole_model(folder: Path, **options: Any) -> Any:
    """`AutoModelForCausalLM` of the folder; `options` as its `from_pretrained` takes them.

    Raises WeightsMissing, and whatever the library raises of files that it cannot read.
    """
    from transformers import AutoModelForCausalLM

    loaded: Any = AutoModelForCausalLM.from_pretrained(
        str(folder),
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
        **options,
    )
    model, told = loaded
    missing = sorted(told["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise WeightsMissing(f"The weights {missing[0]}{more} are not in its files.")
    return model
