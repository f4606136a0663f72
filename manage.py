#!/usr/bin/env python
"""The command line of llmops-web."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036  an older one must still be able to read this far
    sys.exit("llmops-web: this Python is too old: llmops-web needs Python 3.11 or newer.")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")
    from llmops_web.command_line import run

    run(sys.argv)


if __name__ == "__main__":
    main()
