"""The command line: a command that cannot go on says so in one line, not in a traceback."""

from __future__ import annotations

import sys
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.core.management import execute_from_command_line
from django.db import DatabaseError, OperationalError, ProgrammingError
from kombu.exceptions import OperationalError as BrokerUnreachable
from redis.exceptions import ConnectionError as ValkeyUnreachable

from llmops_web.stack.errors import StackError

#: SQLSTATE classes of "no connection", "not let in" and "no such database"; none at all: nobody answered.
_NO_CONNECTION = ("08", "28", "3D", "57P")
_UNDEFINED_TABLE = "42P01"


def run(arguments: list[str]) -> None:
    """Run a management command; exits with 1 and one line on stderr when the stack is not there.

    `--traceback` shows where it was raised, as it does for Django's own errors.
    """
    try:
        execute_from_command_line(arguments)
    except StackError as error:
        sys.exit(f"llmops-web: {error}")
    except (DatabaseError, BrokerUnreachable, ValkeyUnreachable) as error:
        line = _why(error)
        if line is None or "--traceback" in arguments:
            raise
        sys.exit(f"llmops-web: {line}")


def address_without_password(url: str) -> str:
    """The address as it may be shown: user, host and name, and never a password."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    place = parts.netloc.rpartition("@")[2]
    query = [(key, value) for key, value in parse_qsl(parts.query) if "pass" not in key.lower()]
    shown = f"{parts.scheme}://{user}{place}{parts.path}"  # urlunsplit would drop an empty host
    return f"{shown}?{urlencode(query, safe='/:')}" if query else shown


def _why(error: Exception) -> str | None:
    """One line that says what happened and what to do; None for an error that is not about connecting."""
    from django.conf import settings

    if isinstance(error, BrokerUnreachable | ValkeyUnreachable):
        return _not_answering("broker", "BROKER_URL", settings.BROKER_URL, settings.EMBEDDED_BROKER, error)
    state = getattr(error.__cause__, "sqlstate", None)
    if isinstance(error, OperationalError) and (state is None or state.startswith(_NO_CONNECTION)):
        url, embedded = settings.DATABASE_URL, settings.EMBEDDED_DATABASE
        return _not_answering("database", "DATABASE_URL", url, embedded, error)
    if isinstance(error, ProgrammingError) and state == _UNDEFINED_TABLE:
        place = address_without_password(settings.DATABASE_URL)
        return f"The database at {place} lacks this version's tables. `make up` makes them; then try again."
    return None


def _not_answering(what: str, variable: str, url: str, embedded: bool, error: Exception) -> str:
    from django.conf import settings

    reason = " ".join(str(error).split()) or type(error).__name__
    if embedded:
        hint = (
            "Start the stack with `make up`; if it runs, set LLMOPS_DATA_DIR to the folder that it was "
            f"started with (here it is {settings.DATA_DIR})."
        )
    else:
        hint = f"Check that it runs and that {variable} is right."
    return f"The {what} at {address_without_password(url)} does not answer. {hint} ({reason[:300]})"
