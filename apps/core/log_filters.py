"""What must not reach the logs."""

from __future__ import annotations

import logging
import re

_ONE_TIME_LINK = re.compile(r"/(setup|invitation|reset)/[\w-]{20,}")


class HideOneTimeLinks(logging.Filter):
    """Takes the tokens of one-time links out of addresses: who reads a log must not be able to use them."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        hidden = _ONE_TIME_LINK.sub(r"/\1/…", message)
        if hidden != message:
            record.msg, record.args = hidden, None
        return True
