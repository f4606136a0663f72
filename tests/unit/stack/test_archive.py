from __future__ import annotations

import io
import tarfile

import pytest

from llmops_web.stack.archive import DUMP, FORMAT_MEMBER, BadArchive, unpack, writing


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.fixture
def backup(tmp_path):
    dump = tmp_path / "dump"
    dump.write_bytes(b"dump" * 1000)
    path = tmp_path / "backup.tar"
    with writing(path) as archive:
        archive.add_file(DUMP, dump)
        archive.add_file("files/a/b.txt", dump)
    return path


def hostile(path, member, content=b"x"):
    with tarfile.open(path, "w") as archive:
        first = tarfile.TarInfo(FORMAT_MEMBER)
        first.size = 2
        archive.addfile(first, io.BytesIO(b"{}"))
        member.size = len(content) if member.isreg() else 0
        archive.addfile(member, io.BytesIO(content))
    return path


def test_what_was_packed_comes_out_again(backup, target):
    unpack(backup, target)
    assert (target / DUMP).read_bytes() == (target / "files/a/b.txt").read_bytes() == b"dump" * 1000


def test_a_backup_is_readable_by_its_owner_only(backup):
    assert backup.stat().st_mode & 0o777 == 0o600


def test_a_file_that_went_meanwhile_is_left_out(tmp_path):
    with writing(tmp_path / "b.tar") as archive:
        assert archive.add_file("files/gone", tmp_path / "gone") is False


def test_a_backup_that_fails_half_way_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), writing(tmp_path / "b.tar"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("until", [b"{", b"dumpdump", b"files/a/b.txt", b"manifest.json"])
def test_a_truncated_backup_is_refused(backup, target, until):
    content = backup.read_bytes()
    backup.write_bytes(content[: content.index(until)])
    with pytest.raises(BadArchive):
        unpack(backup, target)


def test_a_changed_byte_is_noticed(backup, target):
    content = bytearray(backup.read_bytes())
    content[content.index(b"dumpdump") + 3] ^= 1
    backup.write_bytes(content)
    with pytest.raises(BadArchive, match="damaged"):
        unpack(backup, target)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "files/../../evil", "files", "files//x", "./files/x", "supervisord.conf"]
)
def test_a_member_that_is_no_part_of_a_backup_is_refused(tmp_path, target, name):
    with pytest.raises(BadArchive):
        unpack(hostile(tmp_path / "evil.tar", tarfile.TarInfo(name)), target)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_links_and_devices_are_refused(tmp_path, target, kind):
    member = tarfile.TarInfo("files/x")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(BadArchive):
        unpack(hostile(tmp_path / "evil.tar", member), target)


def test_something_else_than_a_backup_is_refused(tmp_path, target):
    (tmp_path / "letter.txt").write_text("Dear …")
    for path in (tmp_path / "letter.txt", tmp_path / "missing", target):
        with pytest.raises(BadArchive):
            unpack(path, target)
