"""What can keep the stack from starting; each prints as one line."""

from __future__ import annotations


class StackError(Exception):
    """Something the operator can put right; the message says what and how."""


class FolderNotOurs(StackError):
    def __init__(self, folder: object, reason: str) -> None:
        super().__init__(
            f"The data folder {folder} {reason}. Point LLMOPS_DATA_DIR at an empty folder of your own."
        )


class PortInUse(StackError):
    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"Port {port} on {host} is in use by another program. Choose another with PORT=….")


class AddressUnavailable(StackError):
    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"Cannot listen on {host} port {port}: {reason}. Set HOST and PORT.")


class TooLittleDisk(StackError):
    def __init__(self, folder: object, free_mb: int, needed_mb: int) -> None:
        super().__init__(
            f"Too little disk: {free_mb} MB are free at {folder}, the stack needs {needed_mb} MB. "
            "Free some, or point LLMOPS_DATA_DIR elsewhere."
        )


class PythonTooOld(StackError):
    def __init__(self, found: str, needed: str) -> None:
        super().__init__(f"Python {found} is too old: llmops-web needs Python {needed} or newer.")


class AlreadyRunning(StackError):
    def __init__(self, folder: object, pid: str) -> None:
        who = f" (process {pid})" if pid else ""
        super().__init__(f"A stack{who} already runs on the data folder {folder}. Stop it first.")


class NeedsExternal(StackError):
    def __init__(self, missing: list[str]) -> None:
        super().__init__(
            "A worker machine shares its database, broker, files and keys with the others: "
            f"set {', '.join(missing)}."
        )


class ProgramFailed(StackError):
    def __init__(self, what: str, output: str) -> None:
        last = " ".join(output.strip().splitlines()[-3:])
        super().__init__(f"{what} failed: {last or 'it said nothing'}")


class NotReadyInTime(StackError):
    def __init__(self, what: str, seconds: float, hint: str = "") -> None:
        super().__init__(f"{what} was not ready after {seconds:.0f} s. {hint}".strip())
