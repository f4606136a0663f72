from __future__ import annotations

import socket

import pytest

from llmops_web.stack import preflight
from llmops_web.stack.errors import AddressUnavailable, FolderNotOurs, PortInUse, PythonTooOld, TooLittleDisk


def test_an_old_python_is_named_with_the_one_it_takes():
    with pytest.raises(PythonTooOld, match=r"Python 3\.10\.9 is too old.*3\.11"):
        preflight.check_python((3, 10, 9))


def test_this_python_is_new_enough():
    preflight.check_python()


def test_a_port_in_use_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            preflight.check_address("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 8000)])
def test_an_address_that_is_not_ours_is_named(host, port):
    with pytest.raises(AddressUnavailable, match=str(port)):
        preflight.check_address(host, port)


def test_too_little_disk_says_how_much_is_free_and_needed(tmp_path):
    with pytest.raises(TooLittleDisk, match=r"MB are free.*needs 999999999 MB"):
        preflight.check_disk(tmp_path, needed_mb=999_999_999)


@pytest.mark.parametrize("name", ['a"quote', "a\nline", "a\\slash"])
def test_a_path_that_the_supervisor_cannot_hold_is_refused(tmp_path, name):
    with pytest.raises(FolderNotOurs):
        preflight.check_path(tmp_path / name)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_loopback_is_told_from_the_world(host, local):
    assert preflight.is_loopback(host) is local
