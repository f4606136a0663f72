"""What a failed call means: the SDK's and the transport's exceptions as ProviderError.

The texts are read by people who set up a provider, so they say what to check. What the provider sent
is quoted, with the credential struck out should a server echo it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai

from apps.core.guarded_transport import NameNotResolved, ResponseTooLarge
from apps.core.url_guard import ForbiddenAddress
from apps.providers.adapters.openai_payload import short
from apps.providers.protocol import ErrorKind, ProviderError

#: A longer wait than this is not worth holding a plan for; the engine's own back-off takes over.
MAX_RETRY_AFTER_S = 3600.0
_QUOTA_WORDS = ("insufficient_quota", "billing", "credit balance", "exceeded your current quota")
_CONTEXT_WORDS = (
    "context_length_exceeded",
    "maximum context length",
    "context window",
    "context length",
    "too many tokens",
)
_FILTER_WORDS = ("content_filter", "content_policy", "content management policy", "responsibleaipolicy")
_MODEL_WORDS = ("model_not_found", "does not exist", "not found", "no such model", "unknown model")


def provider_error(
    error: BaseException, *, base_url: str, api_key: str, timeout_s: float, model: str
) -> ProviderError:
    """The ProviderError for anything that the SDK raised. `model` is "" for calls without one."""
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, openai.APIStatusError):
        found = _from_status(error, base_url=base_url, model=model)
    elif isinstance(error, (openai.APITimeoutError, TimeoutError, httpx2.TimeoutException)):
        found = _from_timeout(error, base_url=base_url, timeout_s=timeout_s)
    else:
        found = _from_transport(error, base_url=base_url)
    return _without(found, api_key)


def _from_status(error: openai.APIStatusError, *, base_url: str, model: str) -> ProviderError:
    status, body = error.status_code, error.body
    said = error_text(body)
    codes = " ".join(str(code) for code in _codes(body)).lower()
    kind, message = _meaning(status, f"{codes} {said}".lower(), base_url=base_url, model=model)
    if status in range(300, 400):
        message += f" It points to {error.response.headers.get('location', 'nowhere')}."
    return ProviderError(
        f"{message} It said: {short(said, 500)}" if said else message,
        kind=kind,
        status=status,
        retry_after_s=retry_after(error.response.headers),
        raw=short(error.response.text if error.response.is_stream_consumed else body),
    )


def _meaning(status: int, words: str, *, base_url: str, model: str) -> tuple[ErrorKind, str]:
    """Which kind, and the first sentence of the message."""
    if status in (402, 403, 429) and any(word in words for word in _QUOTA_WORDS):
        return ErrorKind.QUOTA, "The account has no quota left: check its plan and billing at the provider."
    if status == 401:
        return (
            ErrorKind.AUTHENTICATION,
            "The provider refused the key (401): the key is wrong, expired or missing.",
        )
    if status in (400, 403, 451) and any(word in words for word in _FILTER_WORDS):
        return ErrorKind.CONTENT_FILTER, "The provider's content filter refused the messages."
    if status == 402:
        return ErrorKind.QUOTA, "The provider wants to be paid first (402): check the account's billing."
    if status == 403:
        return ErrorKind.AUTHENTICATION, "The provider accepts the key but not for this call (403)."
    if status in (400, 413, 422) and any(word in words for word in _CONTEXT_WORDS):
        return (
            ErrorKind.CONTEXT_LENGTH,
            "The messages and the wanted answer are longer than the model's context.",
        )
    if status in (400, 404) and model and ((status == 404 and "model" in words) or _names_model(words)):
        return ErrorKind.UNKNOWN_MODEL, f"The provider has no model named {model}."
    if status == 404:
        return (
            ErrorKind.BAD_REQUEST,
            f"The server at {base_url} has no such path (404): does the URL end in /v1?",
        )
    if status == 408:
        return ErrorKind.TIMEOUT, "The provider gave up waiting (408)."
    if status == 429:
        return ErrorKind.RATE_LIMITED, "The provider's rate limit is reached (429)."
    if status >= 500:
        return ErrorKind.OVERLOADED, f"The provider failed or is overloaded ({status})."
    if status in range(300, 400):
        return (
            ErrorKind.BAD_REQUEST,
            f"The server redirects ({status}), which is not followed: use the final URL.",
        )
    return ErrorKind.BAD_REQUEST, f"The provider refused the request ({status})."


def _names_model(words: str) -> bool:
    return "model" in words and any(word in words for word in _MODEL_WORDS)


def _from_timeout(error: BaseException, *, base_url: str, timeout_s: float) -> ProviderError:
    if any(isinstance(cause, httpx2.ConnectTimeout) for cause in _causes(error)):
        text = f"No connection to {base_url} in time: is the host right, the server up, a firewall between?"
        return ProviderError(text, kind=ErrorKind.TIMEOUT)
    return ProviderError(f"No answer from {base_url} within {timeout_s:g} seconds.", kind=ErrorKind.TIMEOUT)


def _from_transport(error: BaseException, *, base_url: str) -> ProviderError:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ForbiddenAddress):
            return ProviderError(str(cause), kind=ErrorKind.BAD_REQUEST)
        if isinstance(cause, ResponseTooLarge):
            return ProviderError(
                f"The answer from {base_url} is too large: {cause}.", kind=ErrorKind.BAD_RESPONSE
            )
        if isinstance(cause, NameNotResolved):
            return ProviderError(
                f"The host name in {base_url} is not known: check its spelling.", kind=ErrorKind.CONNECTION
            )
        if isinstance(cause, ssl.SSLError):
            return ProviderError(_tls_text(cause, base_url), kind=ErrorKind.CONNECTION)
        if isinstance(cause, ConnectionRefusedError):
            return ProviderError(
                f"Nothing listens at {base_url} (connection refused): is the server up, the port right?",
                kind=ErrorKind.CONNECTION,
            )
    if any(isinstance(cause, httpx2.RemoteProtocolError) for cause in causes) and not any(
        "disconnected" in str(cause).lower() or "peer closed" in str(cause).lower() for cause in causes
    ):
        return ProviderError(f"{base_url} does not answer in HTTP.", kind=ErrorKind.BAD_RESPONSE)
    if isinstance(error, (openai.APIConnectionError, httpx2.TransportError, OSError)):
        return ProviderError(f"The connection to {base_url} broke off.", kind=ErrorKind.CONNECTION)
    if isinstance(error, openai.APIError) and error_text(error.body):
        return ProviderError(
            f"The provider broke the answer off with an error. It said: {short(error_text(error.body), 500)}",
            kind=ErrorKind.OVERLOADED,
            raw=short(error.body),
        )
    return ProviderError(
        f"{base_url} answered, but not as an OpenAI-compatible server does ({type(error).__name__}).",
        kind=ErrorKind.BAD_RESPONSE,
        raw=short(str(error)),
    )


def _tls_text(error: ssl.SSLError, base_url: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The TLS certificate of {base_url} is not valid: {error.verify_message}."
    return f"TLS with {base_url} failed ({error.reason or 'no reason given'}): does the server speak https?"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything below it; anyio hides per-address failures in groups."""
    seen: set[int] = set()
    stack: list[BaseException | None] = [error]
    while stack:
        current = stack.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        stack.extend([current.__context__, current.__cause__])
        if isinstance(current, BaseExceptionGroup):
            stack.extend(current.exceptions)


def error_text(body: object) -> str:
    """The sentence in an error body: {"error": {"message"}}, {"message"}, {"detail"} or plain text."""
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        if isinstance(inner, str):
            return inner
        if isinstance(inner, Mapping):
            found = inner.get("message") or inner.get("detail") or ""
            return found if isinstance(found, str) else short(found)
        return ""
    text = body if isinstance(body, str) else ""
    return "" if text.lstrip().startswith("<") else text  # an HTML page says nothing to a person here


def _codes(body: object) -> list[Any]:
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    return [inner.get("code"), inner.get("type")] if isinstance(inner, Mapping) else []


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds from now that the server asks to wait: `retry-after-ms`, seconds, or an HTTP date."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return _bounded(float(headers.get(name, "")) / divisor)
        except ValueError:
            continue
    try:
        when = parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return _bounded((when - (now or datetime.now(UTC))).total_seconds())


def _bounded(seconds: float) -> float | None:
    if seconds != seconds:  # NaN
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _without(error: ProviderError, secret: str) -> ProviderError:
    if secret and (secret in error.message or secret in error.raw):
        error.message = error.message.replace(secret, "[key]")
        error.raw = error.raw.replace(secret, "[key]")
        error.args = (error.message,)
    return error
