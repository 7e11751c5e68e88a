"""Archives and folders: one upload that stands for many files, opened within limits and packed reproducibly."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from scaling_core.errors import UserError
from scaling_core.runs.cut_zip import cut_members
from scaling_core.runs.members import OUTSIDE, clean_path, why_unopened
from scaling_core.runs.progress import by_bytes, part, tick
from scaling_core.runs.schema import Note
from scaling_core.runs.streams import gunzip, is_workbook, read_stream, unzstd, whole_lines
from scaling_core.runs.upload import MAX_FILE_BYTES, Upload, check_size

#: Archives inside archives are opened so deep.
MAX_DEPTH = 3
#: More files than this in one archive or folder are not the logs of runs.
MAX_MEMBERS = 20_000
_SUFFIXES = (".gz", ".zst", ".zstd", ".gzip")
_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 1
#: What the libraries raise at a member that is damaged.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, tarfile.TarError, NotImplementedError, RuntimeError, ValueError,
)  # fmt: skip
#: Beginnings of names inside Excel workbooks.
_OF_WORKBOOKS = ("[Content_Types].xml", "_rels/.rels", "docProps/", "xl/")
_FIX_BROKEN = "Copy or download it again."


@dataclass(frozen=True)
class Unpacked:
    """Plain files, none of them a container, and what was left out.

    The name of a file from a container begins with the container's, as in ``sweep.zip/a/metrics.csv``.
    """

    uploads: tuple[Upload, ...]
    notes: tuple[Note, ...] = ()
    #: Of each file, which of those given it is or came from.
    origins: tuple[int, ...] = ()


@dataclass
class _Opening:
    """What is opened so far, and how many bytes and members may still come."""

    bytes_left: int
    members_left: int = MAX_MEMBERS
    files: list[Upload] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    skipped: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def skip(self, container: str, name: str, reason: str) -> None:
        """Leave out a member."""
        self.skipped.setdefault((container, reason), []).append(name)

    def take_member(self, container: str) -> None:
        """Count a member.

        Raises
        ------
        UserError
            If there are too many.
        """
        self.members_left -= 1
        if self.members_left < 0:
            raise _too_many(container)


def unpack(
    uploads: Sequence[Upload], max_bytes: int | None = None, refuse: Callable[[int, UserError], None] | None = None
) -> Unpacked:
    """Open containers and leave all other files as they are.

    Parameters
    ----------
    uploads : sequence of Upload
    max_bytes : int, optional
        Of all that is unpacked together; ``MAX_FILE_BYTES`` unless given.
    refuse : callable, optional
        Takes the place of an upload that cannot be opened, and why; the others are opened all the same.

    Raises
    ------
    UserError
        Without ``refuse``, if a container is broken from its start, protected by a password, holds nothing to open, or
        is larger inside than the limits.
    """
    opening = _Opening(MAX_FILE_BYTES if max_bytes is None else max_bytes)
    origins: list[int] = []
    for i, (upload, share) in enumerate(zip(uploads, by_bytes(len(u.data) for u in uploads), strict=True)):
        before, told = len(opening.files), (len(opening.notes), set(opening.skipped))
        try:
            check_size(upload.name, len(upload.data), max_bytes)
            with part(*share, f"Unpacking {upload.name}" if is_container(upload) else ""):
                _open(upload, 0, opening)
            if len(opening.files) == before:
                raise _nothing_inside(upload.name, opening, *told)
        except UserError as error:
            if refuse is None:
                raise
            del opening.files[before:]
            refuse(i, error)
        origins += [i] * (len(opening.files) - before)
    return Unpacked(tuple(opening.files), (*opening.notes, *_skip_notes(opening)), tuple(origins))


def is_container(upload: Upload) -> bool:
    """Whether a file is an archive or compressed, by its content; an Excel workbook is not."""
    return _opener(upload) is not None


def pack(name: str, files: Sequence[Upload], links: Sequence[str] = ()) -> Upload:
    """Make one upload of a folder's files: equal folders give equal bytes, wherever and whenever they are packed.

    Files that are never opened (weights, pickles) are kept as names without content.

    Parameters
    ----------
    name : str
        The folder's.
    files : sequence of Upload
        Named by their paths inside the folder.
    links : sequence of str
        Paths of links, which are named but not followed.

    Raises
    ------
    UserError
        If there is no file, or there are too many or too large ones.
    """
    if not files:
        raise UserError("The folder is empty.", where=name, fix="Give a folder with logs in it.")
    if len(files) > MAX_MEMBERS:
        raise _too_many(name)
    kept = {f.name: b"" if why_unopened(f.name) else f.data for f in files}
    check_size(name, sum(map(len, kept.values())))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted({*kept, *links}):
            entry = zipfile.ZipInfo(path)
            entry.create_system = 3  # Unix, on every machine
            entry.external_attr = ((stat.S_IFREG if path in kept else stat.S_IFLNK) | 0o644) << 16
            archive.writestr(entry, kept.get(path, b""))
    return Upload(f"{PurePosixPath(name).name or 'folder'}/", packed.getvalue())


def pack_folders(files: Sequence[Upload]) -> list[Upload]:
    """Make one upload of each folder among files that are named by their paths, ``runs/a/metrics.csv``."""
    by_top: dict[str, list[Upload]] = {}
    for file in files:
        top, _, inside = file.name.partition("/")
        by_top.setdefault(top if inside else "folder", []).append(Upload(inside or top, file.data))
    return [pack(top, inside) for top, inside in by_top.items()]


def from_folder(path: str | Path) -> Upload:
    """Pack a folder of this machine, as ``pack`` does.

    Raises
    ------
    UserError
        If it cannot be read, is empty, or is too large.
    """
    root = Path(path).resolve()
    found, links = _listing(root)
    sizes = sum(p.stat().st_size for p in found if not why_unopened(p.relative_to(root).as_posix()))
    check_size(root.name, sizes)
    files = []
    for file in found:
        inside = file.relative_to(root).as_posix()
        files.append(Upload(inside, b"" if why_unopened(inside) else Upload.from_path(file).data))
    return pack(root.name, files, [link.relative_to(root).as_posix() for link in links])


def _listing(root: Path) -> tuple[list[Path], list[Path]]:
    """Return the files below a folder, and the links, which are not followed."""
    found: list[Path] = []
    links: list[Path] = []
    for folder, folders, names in os.walk(root):
        for path in (Path(folder, name) for name in (*folders, *names)):
            if path.is_symlink():
                links.append(path)
            elif path.is_file():
                found.append(path)
        if len(found) > MAX_MEMBERS:
            raise _too_many(root.name)
    return found, links


def _open(upload: Upload, depth: int, opening: _Opening) -> None:
    opener = _opener(upload)
    if opener is None:
        opening.files.append(upload)
        if depth:
            opening.bytes_left -= len(upload.data)
    elif depth == MAX_DEPTH:
        opening.skip(upload.name, upload.name, f"archives are opened {MAX_DEPTH} deep")
    else:
        opener(upload, depth, opening)


def _opener(upload: Upload) -> Callable[[Upload, int, _Opening], None] | None:
    head = upload.head
    if head.startswith(b"\x1f\x8b"):
        return _open_gzip
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return _open_zstd
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None if is_workbook(upload.data) else _open_zip
    return _open_tar if head[257:262] == b"ustar" else None


def _open_gzip(upload: Upload, depth: int, opening: _Opening) -> None:
    _open_inner(upload, depth, opening, *gunzip(upload.data, upload.name, opening.bytes_left))


def _open_zstd(upload: Upload, depth: int, opening: _Opening) -> None:
    _open_inner(upload, depth, opening, *unzstd(upload.data, upload.name, opening.bytes_left))


def _open_inner(upload: Upload, depth: int, opening: _Opening, data: bytes, whole: bool) -> None:
    """Go on with what a compressed file holds, under its name without ``.gz``."""
    if not whole:
        text = "The compressed file is cut short or damaged; what comes before that was used."
        opening.notes.append(Note("warning", text, upload.name))
        data = whole_lines(data)
    path = PurePosixPath(upload.name)
    name = str(path.with_suffix("")) if path.suffix.lower() in _SUFFIXES and path.stem else upload.name
    name = f"{name[:-4]}.tar" if name.lower().endswith(".tgz") else name
    _open(Upload(name, data), depth + 1, opening)


def _open_zip(upload: Upload, depth: int, opening: _Opening) -> None:
    if upload.data.count(_ENTRY) > 2 * MAX_MEMBERS:  # before they are listed, which takes memory for each
        raise _too_many(upload.name)
    try:
        archive = zipfile.ZipFile(io.BytesIO(upload.data))
        entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        _open_cut_zip(upload, depth, opening, str(error))
        return
    _refuse_checkpoint(upload.name, [e.filename for e in entries])
    if any(e.flag_bits & _ENCRYPTED for e in entries) and all(e.flag_bits & _ENCRYPTED or e.is_dir() for e in entries):
        raise UserError("The ZIP archive is protected by a password.", where=upload.name, fix="Unpack it first.")
    seen: set[str] = set()
    for place, entry in enumerate(entries):
        tick(place / len(entries))
        if entry.is_dir():
            continue
        opening.take_member(upload.name)
        mode = entry.external_attr >> 16
        reason = (
            "links are not followed" if stat.S_ISLNK(mode)
            else "they are protected by a password" if entry.flag_bits & _ENCRYPTED
            else "they are compressed in a way that is not opened" if entry.compress_type not in (0, 8)
            else "their names occur twice" if entry.filename in seen
            else ""
        )  # fmt: skip
        seen.add(entry.filename)
        _take(upload, entry.filename, reason, entry.compress_size, lambda e=entry: archive.open(e), depth, opening)  # type: ignore[misc]


def _open_cut_zip(upload: Upload, depth: int, opening: _Opening, error: str) -> None:
    """Open what is there of an archive whose end, with its list of contents, is missing.

    Raises
    ------
    UserError
        If not even one member begins in it, or it is no archive of logs.
    """
    members = list(islice(cut_members(upload.data), MAX_MEMBERS + 1))
    _refuse_checkpoint(upload.name, [m.name for m in members])
    if not members or any(m.name.startswith(_OF_WORKBOOKS) for m in members):
        kind = "Excel workbook" if members else "ZIP archive"
        raise UserError(f"The {kind} is broken or cut short ({error}).", where=upload.name, fix=_FIX_BROKEN)
    seen: set[str] = set()
    for member in members:
        opening.take_member(upload.name)
        tick(member.start / len(upload.data))
        reason = member.why_not or ("their names occur twice" if member.name in seen else "")
        seen.add(member.name)
        finish = None if member.is_whole else whole_lines
        _take(upload, member.name, reason, member.size, member.open, depth, opening, finish)
    text = f"The ZIP archive is cut short or damaged ({error}); what comes before that was used."
    opening.notes.append(Note("warning", text, upload.name))


def _refuse_checkpoint(name: str, members: Iterable[str]) -> None:
    if any(PurePosixPath(member).name == "data.pkl" for member in members):
        raise UserError(
            "The file is a checkpoint of PyTorch: a pickle, which is never opened because it can run code.",
            where=name,
            fix="Give the log of the run instead: CSV, JSON, TensorBoard or text.",
        )


def _open_tar(upload: Upload, depth: int, opening: _Opening) -> None:
    seen: set[str] = set()
    for archive, info in _tar_members(upload, opening):
        if info.isdir():
            continue
        opening.take_member(upload.name)
        reason = (
            "links are not followed" if info.issym() or info.islnk()
            else "they are no ordinary files" if not info.isfile() or info.issparse()
            else "their names occur twice" if info.name in seen
            else ""
        )  # fmt: skip
        seen.add(info.name)
        _take(upload, info.name, reason, info.size, lambda a=archive, i=info: _tar_stream(a, i), depth, opening)  # type: ignore[misc]


def _tar_members(upload: Upload, opening: _Opening) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield the members of a tar file up to where it is damaged."""
    furthest = -1
    try:
        with tarfile.open(fileobj=io.BytesIO(upload.data), mode="r:") as archive:
            while (info := archive.next()) is not None:
                # A header that leads back would be read for ever.
                if info.offset <= furthest or info.size < 0:
                    raise tarfile.ReadError("its headers lead in a circle")
                furthest = info.offset
                yield archive, info
            if not upload.data.rstrip(b"\0") or len(upload.data) < archive.offset:
                raise tarfile.ReadError("it ends too early")
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError, RecursionError) as error:
        text = f"The tar archive is damaged or cut short ({error}); what comes before that was used."
        opening.notes.append(Note("warning", text, upload.name))


def _tar_stream(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return archive.extractfile(info) or io.BytesIO()


def _take(
    container: Upload, name: str, reason: str, packed: int, stream: Callable[[], IO[bytes]], depth: int,
    opening: _Opening, finish: Callable[[bytes], bytes] | None = None,
) -> None:  # fmt: skip
    """Read one member and go on with it, or note why not; ``finish`` is done to what was read."""
    path = clean_path(name)
    reason = OUTSIDE if path is None else reason or why_unopened(path)
    if path is None or reason:
        opening.skip(container.name, name, reason)
        return
    try:
        with stream() as opened:
            data = read_stream(opened, packed, f"{container.name}, {path}", opening.bytes_left)
            data = finish(data) if finish else data
    except _DAMAGED:
        opening.skip(container.name, path, "they are damaged or cut short")
        return
    if not data.strip():
        opening.skip(container.name, path, "they are empty")
        return
    prefix = container.name if container.name.endswith("/") else f"{container.name}/"
    _open_member(Upload(f"{prefix}{path}", data), depth, opening)


def _open_member(upload: Upload, depth: int, opening: _Opening) -> None:
    try:
        _open(upload, depth + 1, opening)
    except UserError as error:
        if not is_container(upload) or "limit" in error.what or "times its size" in error.what:
            raise
        opening.notes.append(Note("warning", f"Not opened: {error.what}", upload.name))


def _skip_notes(opening: _Opening) -> list[Note]:
    notes = []
    for (container, reason), names in opening.skipped.items():
        shown = ", ".join(name[:80] for name in names[:5]) + (" and others" if len(names) > 5 else "")
        text = f"{len(names):,} file{'s' * (len(names) > 1)} inside not opened ({reason}): {shown}."
        notes.append(Note("info", text, container))
    return notes


def _too_many(name: str) -> UserError:
    return UserError(
        f"It holds more than {MAX_MEMBERS:,} files.", where=name, fix="Give fewer at once, or only the logs."
    )


def _nothing_inside(name: str, opening: _Opening, notes_before: int, skipped_before: set[tuple[str, str]]) -> UserError:
    """Say why a container gave nothing; what was said of those opened before it is none of its own."""
    own = {key: names for key, names in opening.skipped.items() if key not in skipped_before}
    told = "; ".join(f"{len(names):,}: {reason}" for (_, reason), names in own.items())
    notes = " ".join(note.text for note in opening.notes[notes_before:])
    what = f"Nothing inside can be opened ({told})." if told else f"The archive is empty. {notes}".strip()
    return UserError(what, where=name, fix="Give logs of runs: CSV, JSON, Parquet, TensorBoard or text.")
