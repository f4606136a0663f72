"""Kinds of errors in plain words."""

from __future__ import annotations

ERROR_WORDS = {
    "rate_limited": "Too many requests",
    "overloaded": "The provider is overloaded",
    "timeout": "No answer in time",
    "connection": "The provider cannot be reached",
    "authentication": "The key is refused",
    "unknown_model": "Unknown model",
    "context_length": "Too long for the model",
    "content_filter": "Stopped by the provider's content filter",
    "bad_request": "The provider refused the request",
    "quota": "Out of quota",
    "bad_response": "The answer could not be read",
    "render": "The prompt could not be rendered",
    "internal": "Internal error",
    "recorded": "Recorded error",
}
