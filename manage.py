#!/usr/bin/env python
"""The command line of llmops-web."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036  an older one must still be able to read this far
    sys.exit("llmops-web: this Python is too old: llmops-web needs Python 3.11 or newer.")


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
