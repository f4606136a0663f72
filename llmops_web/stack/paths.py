"""Where the stack keeps its things. Plain Python: settings read it, and so does the supervisor."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

#: Root runs Postgres under another account, which may not read below a private data folder.
SHARED_STATE = Path("/var/lib/llmops-web")


@dataclass(frozen=True)
class StackPaths:
    """Every place below (or derived from) one data folder.

    Unix socket paths may hold 107 bytes at most, so sockets live in a short folder
    named after the data folder rather than in it.
    """

    data: Path

    @property
    def token(self) -> str:
        return hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]

    @property
    def sockets(self) -> Path:
        """Not in $TMPDIR: two shells that differ in it must agree on the place."""
        return Path("/tmp") / f"llmops-{os.getuid()}-{self.token}"

    @property
    def postgres_socket_dir(self) -> Path:
        return self.sockets / "pg"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey" / "valkey.sock"

    @property
    def control_socket(self) -> Path:
        return self.sockets / "control" / "supervisor.sock"

    @property
    def marker(self) -> Path:
        return self.data / ".llmops-web.json"

    @property
    def lock(self) -> Path:
        return self.data / "stack.lock"

    @property
    def run(self) -> Path:
        """What the running stack notes down about itself: its programs and their process ids."""
        return self.data / "run"

    @property
    def postgres(self) -> Path:
        return self.data / "postgres"

    @property
    def valkey(self) -> Path:
        return self.data / "valkey"

    @property
    def files(self) -> Path:
        return self.data / "files"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def base_models(self) -> Path:
        """Model folders that somebody put there to fine-tune from."""
        return self.data / "base-models"

    @property
    def model_cache(self) -> Path:
        """Weights fetched from the file store, by fingerprint; may be deleted while nothing runs."""
        return self.data / "model-cache"

    @property
    def training(self) -> Path:
        """Where trainers work, a folder a job; what is to be kept is in the file store."""
        return self.data / "training"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def secret_key(self) -> Path:
        return self.data / "secret_key"

    @property
    def key_ring(self) -> Path:
        return self.data / "key_ring.json"

    @property
    def database_url(self) -> str:
        return f"postgresql://llmops@/llmops?host={self.postgres_socket_dir}"

    @property
    def broker_url(self) -> str:
        return f"redis+socket://{self.valkey_socket}?virtual_host=0"
