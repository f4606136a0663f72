"""Prompts as files: our own YAML, and three formats of others. Plain Python; no database, no network.

A format is a module with `read` and `write`; `formats` finds the one a file is in. What a format cannot carry
is told as a list of losses, on the way out and on the way in.
"""
