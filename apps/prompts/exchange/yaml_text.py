"""How YAML is written here: exact, and readable by parsers of YAML 1.1 and 1.2 alike."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

from apps.prompts.exchange.reading import FLOAT, INT

_ODD = re.compile(r"[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010fffe]|[\x85\u2028\u2029\ufeff]")


class FileDumper(yaml.SafeDumper):
    """Texts over several lines as blocks where that is exact, lists indented, no anchors."""

    #: For `yaml.dump`; lines are never folded.
    STYLE: ClassVar[dict[str, Any]] = {
        "sort_keys": False,
        "allow_unicode": True,
        "default_flow_style": False,
        "width": 1_000_000_000,
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _fits_a_block(text):
        style = "|"
    elif "\n" in text or _ODD.search(text) or FLOAT.fullmatch(text) or INT.fullmatch(text):
        style = '"'  # YAML 1.1 and 1.2 differ in what is a number; a text is quoted when either says so
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _fits_a_block(text: str) -> bool:
    if "\n" not in text or text[0] in " \n" or _ODD.search(text):
        return False
    return not any(line.endswith((" ", "\xa0")) for line in text.split("\n"))


FileDumper.add_representer(str, _text)
