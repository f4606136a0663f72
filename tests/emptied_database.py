"""How a test that commits leaves the database: only the tables that have rows are emptied.

Django's own way, TRUNCATE of a hundred tables and all permissions made anew, takes half a second a test: it
is kept only where the role may not switch triggers off. Loaded by tests/conftest.py.
"""

from __future__ import annotations

from functools import cache

from django.db import connections, transaction
from django.test import TransactionTestCase

#: What migrating has written; no test changes it.
_KEPT = frozenset({"django_migrations", "django_content_type", "auth_permission"})
_with_truncate = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]


def _fixture_teardown(self: TransactionTestCase) -> None:
    for alias in self._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        if not _may_switch_triggers_off(alias):
            _with_truncate(self)
            return
        _empty(alias)


@cache
def _may_switch_triggers_off(alias: str) -> bool:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


@cache
def _tables(alias: str) -> tuple[str, ...]:
    names = connections[alias].introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(sorted(set(names) - _KEPT))


def _empty(alias: str) -> None:
    quote = connections[alias].ops.quote_name
    asked = " UNION ALL ".join(
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM {quote(name)})" for name in _tables(alias)
    )
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # in any order, immutable rows too
        cursor.execute(asked)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {quote(name)}")


TransactionTestCase._fixture_teardown = _fixture_teardown  # type: ignore[attr-defined]
