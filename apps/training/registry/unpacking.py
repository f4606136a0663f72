"""An uploaded archive, hostile until checked: names, sizes and kinds are looked at before a byte is unpacked.

Plain Python. Only regular files at one level are unpacked, by names that are checked; what unpacks to more
than its archive said, or than the limits allow, is broken off.
"""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from apps.training.registry.errors import BadWeights
from apps.training.registry.folders import MOST_FILES

#: Unpacked, all files together; and how much more that may be than the archive itself.
LARGEST_UNPACKED = 64 * 1024**3
MOST_GROWTH = 200
#: What stays free beside it.
SPARE_BYTES = 500_000_000
_PIECE = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,119}")
#: Pickles, code, and other forms of weights: an import with one of them is refused as a whole.
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5")
_CODE = (".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".sh", ".exe", ".jar")
_OTHERS = (".msgpack", ".onnx", ".gguf", ".zip", ".tar", ".gz")
_REFUSED = (*_PICKLES, *_CODE, *_OTHERS)
#: What decompression raises besides.
_BROKEN = (zlib.error, lzma.LZMAError, ValueError)
_WORTHLESS = ("__MACOSX/", ".DS_Store")


def refuse_pickles(names: list[str]) -> None:
    """Raises BadWeights that names the first file of a kind that is never taken."""
    for name in names:
        if name.lower().endswith(_REFUSED):
            raise BadWeights(
                f"{name[:120]} is of a kind that is not taken: it may run code when it is loaded, or is no "
                "safetensors file. Save the model with safe_serialization=True and leave other files out."
            )


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip of one model folder into `target`, flat. Raises BadWeights."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _checked(opened, archive.stat().st_size)
            _check_room(target, sum(member.file_size for member, _ in members))
            left = [LARGEST_UNPACKED]
            for member, name in members:
                _copy(opened, member, target / name, left)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError, *_BROKEN) as error:
        raise BadWeights(f"The upload is not a zip archive that can be read: {str(error)[:200]}") from None


def _checked(opened: zipfile.ZipFile, size: int) -> list[tuple[zipfile.ZipInfo, str]]:
    members = [each for each in opened.infolist() if not each.is_dir() and not _worthless(each.filename)]
    if not members:
        raise BadWeights("The archive is empty.")
    if len(members) > MOST_FILES:
        raise BadWeights(f"The archive holds {len(members):,} files; a model has at most {MOST_FILES:,}.")
    refuse_pickles([member.filename for member in members])
    total = sum(member.file_size for member in members)
    if total > LARGEST_UNPACKED or total > MOST_GROWTH * max(size, 1_000_000):
        raise BadWeights("The archive would unpack to far more than it is. It was not opened.")
    sly = next((each.filename for each in members if _leads_away(each.filename)), None)
    if sly is not None:
        raise BadWeights(f"{sly[:120]!r} is no name that a file of a model may have.")
    top = {member.filename.rpartition("/")[0] for member in members}
    if len(top) != 1:
        raise BadWeights("All files of the archive must lie in one folder.")
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        name = member.filename.rpartition("/")[2]
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or member.flag_bits & 1:
            raise BadWeights(f"{name[:120]!r} is a link or encrypted.")
        if not _NAME.fullmatch(name) or name.lower() in {known.lower() for known in found}:
            raise BadWeights(f"{member.filename[:120]!r} is no name that a file of a model may have.")
        found[name] = member
    return [(member, name) for name, member in found.items()]


def _check_room(target: Path, size: int) -> None:
    """The data folder's disk may hold the database too."""
    free = shutil.disk_usage(target).free
    if free < size + SPARE_BYTES:
        raise BadWeights(
            f"Unpacking the upload needs {(size + SPARE_BYTES) // 1_000_000} MB in the worker's data folder; "
            f"{free // 1_000_000} MB are free."
        )


def _leads_away(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ".." in name.split("/")


def _worthless(name: str) -> bool:
    return name.startswith(_WORTHLESS[0]) or name.rpartition("/")[2] == _WORTHLESS[1]


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: list[int]) -> None:
    said = member.file_size
    with opened.open(member) as source, target.open("xb") as into:
        while piece := source.read(_PIECE):
            said -= len(piece)
            left[0] -= len(piece)
            if said < 0 or left[0] < 0:
                raise BadWeights(f"{target.name} is longer than the archive says. The import was broken off.")
            into.write(piece)
