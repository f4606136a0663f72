from __future__ import annotations

import os
import stat

import pytest

from llmops_web.stack.errors import AlreadyRunning, FolderNotOurs
from llmops_web.stack.folder import FolderLock, claim_data_folder, private_folder
from llmops_web.stack.paths import StackPaths


@pytest.fixture
def paths(tmp_path):
    return StackPaths(tmp_path / "data")


def test_a_new_data_folder_is_closed_to_others_and_keeps_its_id(paths):
    first = claim_data_folder(paths)
    assert stat.S_IMODE(paths.data.stat().st_mode) == 0o700
    assert claim_data_folder(paths) == first


def test_an_open_data_folder_is_closed_again(paths):
    claim_data_folder(paths)
    paths.data.chmod(0o755)
    claim_data_folder(paths)
    assert stat.S_IMODE(paths.data.stat().st_mode) == 0o700


def test_a_folder_with_other_things_is_refused_and_left_alone(paths):
    paths.data.mkdir()
    (paths.data / "letter.txt").write_text("Dear …")
    with pytest.raises(FolderNotOurs, match=r"letter\.txt"):
        claim_data_folder(paths)
    assert [entry.name for entry in paths.data.iterdir()] == ["letter.txt"]


def test_a_file_in_its_place_is_refused(paths):
    paths.data.write_text("")
    with pytest.raises(FolderNotOurs, match="not a folder"):
        claim_data_folder(paths)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_account_is_refused(paths):
    paths.data.mkdir()
    os.chown(paths.data, 65534, 65534)
    with pytest.raises(FolderNotOurs, match="another account"):
        claim_data_folder(paths)


@pytest.mark.parametrize("text", ["{", '{"format": 99}', "[]"])
def test_a_marker_that_is_broken_or_from_the_future_is_refused(paths, text):
    paths.data.mkdir()
    paths.marker.write_text(text)
    with pytest.raises(FolderNotOurs):
        claim_data_folder(paths)


def test_one_stack_at_a_time_uses_a_data_folder(paths):
    claim_data_folder(paths)
    first, second = FolderLock(paths), FolderLock(paths)
    first.acquire()
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_link_in_the_place_of_a_private_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sockets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderNotOurs):
        private_folder(tmp_path / "sockets")


def test_the_socket_paths_stay_short_however_deep_the_data_folder_is(tmp_path):
    paths = StackPaths(tmp_path.joinpath(*["a_rather_long_folder_name"] * 12))
    for path in (paths.postgres_socket_dir / ".s.PGSQL.5432", paths.valkey_socket, paths.control_socket):
        # supervisor binds under a temporary name first, a few characters longer
        assert len(os.fsencode(path)) < 90
