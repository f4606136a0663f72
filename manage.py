#!/usr/bin/env python
"""The command line of llmops-web."""

import os
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "llmops-web: Python %d.%d is too old: llmops-web needs Python 3.11 or newer." % sys.version_info[:2]
    )


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")
    from django.core.management import execute_from_command_line

    from llmops_web.stack.errors import StackError

    try:
        execute_from_command_line(sys.argv)
    except StackError as error:
        sys.exit(f"llmops-web: {error}")


if __name__ == "__main__":
    main()
