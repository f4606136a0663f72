"""Where a request came from."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address of the client; "" where there is none (a unix socket).

    Behind proxies of ours, LLMOPS_TRUSTED_PROXIES says how many there are: the client is then that many
    from the right in X-Forwarded-For. What stands further left was written by the client and is not believed.
    """
    hops = settings.TRUSTED_PROXIES
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR") or "").split(",") if hops else []
    if hops and len(forwarded) >= hops:
        try:
            return str(ipaddress.ip_address(forwarded[-hops].strip()))
        except ValueError:
            pass  # not what a proxy writes; take the address that we see
    return str(request.META.get("REMOTE_ADDR") or "")[:64]
