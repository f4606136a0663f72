"""Where files are kept: a folder that all machines mount, or a bucket of S3 or of a server that speaks it."""

from __future__ import annotations

from typing import Any

from environs import Env

_SPOOLED_BYTES = 16_000_000


def file_store(env: Env) -> dict[str, Any]:
    """The setting STORAGES["default"]. Without LLMOPS_S3_BUCKET it is the folder; keys that are not given
    come from where boto3 looks for them (the AWS_ variables, its files, the machine's role)."""
    bucket: str = env.str("LLMOPS_S3_BUCKET", "")
    if not bucket:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    endpoint: str = env.str("LLMOPS_S3_ENDPOINT", "")
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": _options(env, bucket, endpoint)}


def _options(env: Env, bucket: str, endpoint: str) -> dict[str, Any]:
    from botocore.config import Config

    # Other servers than Amazon's have buckets in the path, and not all know checksums after the content.
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"max_attempts": 5, "mode": "standard"},
    )
    return {
        "bucket_name": bucket,
        "location": env.str("LLMOPS_S3_PREFIX", "").strip("/"),
        "endpoint_url": endpoint or None,
        "region_name": env.str("LLMOPS_S3_REGION", "") or ("us-east-1" if endpoint else None),
        "access_key": env.str("LLMOPS_S3_ACCESS_KEY", "") or None,
        "secret_key": env.str("LLMOPS_S3_SECRET_KEY", "") or None,
        "client_config": config,
        "file_overwrite": False,
        "default_acl": None,
        "max_memory_size": _SPOOLED_BYTES,
    }
