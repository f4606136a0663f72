"""Second factors: their secrets are encrypted at rest, under the key ring."""

from __future__ import annotations

from allauth.mfa.adapter import DefaultMFAAdapter

from apps.core.crypto import Rotate, decrypt, encrypt, on_rotation


class EncryptingAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text)


def register_rotation() -> None:
    on_rotation(_rotate_second_factors)


def _rotate_second_factors(rotate: Rotate) -> int:
    """The secret of an authenticator app and the seed of recovery codes lie in a JSON column of allauth's."""
    from allauth.mfa.models import Authenticator

    count = 0
    for row in Authenticator.objects.order_by("pk").iterator():
        fresh = {
            key: rotate(value) if key in ("secret", "seed") else value for key, value in row.data.items()
        }
        if fresh != row.data:
            # Only if it is still the same: using a recovery code marks it in this column.
            count += Authenticator.objects.filter(pk=row.pk, data=row.data).update(data=fresh)
    return count
