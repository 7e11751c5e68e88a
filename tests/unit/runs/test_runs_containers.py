"""Archives and folders: what is opened, what is left out with a reason, and what is refused."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import log_samples as logs
import pytest
import zstandard
from runs_helpers import notes

from scaling_core.errors import UserError
from scaling_core.runs import Upload, from_folder, load, pack, pack_folders, usable
from scaling_core.runs.containers import MAX_MEMBERS, unpack
from scaling_core.runs.gather import gather_usable
from scaling_core.runs.readers import recognise

GOOD = b"params,tokens,loss\n1e8,1e9,3.0\n2e8,2e9,2.9\n"
LONG = b"n,loss\n" + b"".join(b"%d,%d\n" % (i, i * 7919 % 104729) for i in range(60_000))


def zipped(*members: tuple[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def tarred(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:  # type: ignore[call-overload]
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def refused(name: str, data: bytes, max_bytes: int | None = None) -> str:
    with pytest.raises(UserError) as caught:
        load([Upload(name, data)], max_bytes=max_bytes)
    assert caught.value.fix
    assert name in caught.value.where
    return caught.value.what


@pytest.mark.parametrize(
    ("name", "data", "inside"),
    [
        ("runs.csv.gz", gzip.compress(GOOD), "runs.csv"),
        ("runs.csv.gz", gzip.compress(GOOD[:20]) + gzip.compress(GOOD[20:]) + bytes(64), "runs.csv"),
        ("runs.csv.zst", zstandard.compress(GOOD[:20]) + zstandard.compress(GOOD[20:]), "runs.csv"),
        ("sweep.zip", zipped(("a/runs.csv", GOOD)), "sweep.zip/a/runs.csv"),
        ("sweep.tar.gz", tarred((tarfile.TarInfo("./runs.csv"), GOOD), mode="w:gz"), "sweep.tar/runs.csv"),
        ("sweep.tgz", tarred((tarfile.TarInfo("runs.csv"), GOOD), mode="w:gz"), "sweep.tar/runs.csv"),
        ("a.zip", zipped(("b.zip", zipped(("runs.csv.gz", gzip.compress(GOOD))))), "a.zip/b.zip/runs.csv"),
    ],
    ids=["gzip", "two gzip members", "two zstd frames", "zip", "tar.gz", "tgz", "zip in zip"],
)
def test_containers_are_opened_by_their_content(name: str, data: bytes, inside: str) -> None:
    (found,) = unpack([Upload(name, data)]).uploads
    assert found == Upload(inside, GOOD)
    assert load([Upload(name, data)]).frame["loss"].tolist() == [3.0, 2.9]


@pytest.mark.parametrize("data", [gzip.compress(LONG), zstandard.compress(LONG)], ids=["gzip", "zstd"])
def test_a_stream_cut_short_gives_what_comes_before_with_a_note(data: bytes) -> None:
    cut = unpack([Upload("runs.csv.gz", data[: len(data) * 3 // 4])])
    assert LONG.startswith(cut.uploads[0].data)
    assert "cut short" in cut.notes[0].text


@pytest.mark.parametrize("step", [7])
def test_archives_cut_anywhere_are_read_in_part_or_refused_in_words(step: int) -> None:
    archives = {
        "a.zip": zipped(("a.csv", GOOD), ("b.csv", GOOD + b"3e8,3e9,2.8\n")),
        "a.tar": tarred((tarfile.TarInfo("a.csv"), GOOD), (tarfile.TarInfo("b.csv"), GOOD + b"3e8,3e9,2.8\n")),
        "a.csv.gz": gzip.compress(GOOD),
        "a.csv.zst": zstandard.compress(GOOD),
    }
    for name, data in archives.items():
        whole = [u.data for u in unpack([Upload(name, data)]).uploads]
        for length in range(1, len(data), step * (20 if name == "a.tar" else 1)):
            try:
                found = unpack([Upload(name, data[:length])]).uploads
            except UserError as error:
                assert name in error.where  # noqa: PT017
                continue
            # A few bytes are no archive yet, and are passed on as they are.
            assert all(any(w.startswith(u.data) for w in whole) or u.name == name for u in found)


def test_names_that_lead_out_links_and_devices_are_left_out_with_a_reason() -> None:
    members = []
    for name, kind in (("soft", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        members.append((info, b""))
    inside = [(tarfile.TarInfo(n), GOOD) for n in ("../../up.csv", "/root.csv", "C:\\win.csv", "ok.csv")]
    runs = load([Upload("sweep.tar", tarred(*members, *inside))])
    assert len(runs.frame) == 2
    assert "2 files inside not opened (links are not followed): soft, hard" in notes(runs)
    assert "no ordinary files): pipe" in notes(runs)
    assert "3 files inside not opened (their names lead out of the archive)" in notes(runs)


def test_links_in_a_zip_and_second_members_of_a_name_are_left_out() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("runs.csv", GOOD)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("runs.csv", GOOD)
    found = unpack([Upload("a.zip", data.getvalue())])
    assert len(found.uploads) == 1
    told = " ".join(n.text for n in found.notes)
    assert "links are not followed" in told
    assert "occur twice" in told


def test_a_password_on_one_member_is_a_note_and_on_all_an_error() -> None:
    data = bytearray(zipped(("a.csv", GOOD), ("b.csv", GOOD)))
    first = data.find(b"PK\x01\x02")
    data[first + 8] |= 1
    assert "password" in notes(load([Upload("a.zip", bytes(data))]))
    data[data.find(b"PK\x01\x02", first + 4) + 8] |= 1
    assert "password" in refused("a.zip", bytes(data))


def test_pickles_are_never_opened() -> None:
    runs = load([Upload("a.zip", zipped(("model.pt", b"\x80\x04."), ("runs.csv", GOOD)))])
    assert "pickles are never opened, because they can run code): model.pt" in notes(runs)
    assert "pickle" in refused("model.pt", zipped(("archive/data.pkl", b"\x80\x04.")))
    assert "pickle" in refused("only.zip", zipped(("model.pkl", b"\x80\x04.")))


def test_bombs_are_refused_before_they_go_off() -> None:
    zeros = bytes(2**26)
    for name, data in {
        "a.gz": gzip.compress(zeros), "a.zip": zipped(("a.csv", zeros)), "a.zst": zstandard.compress(zeros)
    }.items():  # fmt: skip
        assert "times its size" in refused(name, data)
    noise = b"".join(b"%d," % (i * 7919 % 104729) for i in range(200_000))
    assert "larger than the limit of 1 MiB" in refused("a.csv.gz", gzip.compress(noise), max_bytes=2**20)
    halves = zipped(("a.csv", noise[:700_000]), ("b.csv", noise[:700_000]))
    assert "larger than the limit" in refused("a.zip", halves, max_bytes=2**20)


def test_too_many_members_and_too_deep_nesting_are_refused() -> None:
    assert f"more than {MAX_MEMBERS:,} files" in refused(
        "a.zip", zipped(*((f"{i}", b"") for i in range(MAX_MEMBERS + 1)))
    )
    nested = zipped(("runs.csv", GOOD))
    for _ in range(4):
        nested = zipped(("inner.zip", nested))
    assert "3 deep" in refused("a.zip", nested)


def test_a_folder_gives_the_same_upload_from_disk_and_from_a_browser(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "trainer_state.json").write_text(logs.trainer_state())
    (folder / "a" / "config.json").write_text(logs.CONFIG)
    (folder / "a" / "optimizer.pt").write_bytes(bytes(1000))
    dropped = [
        Upload(f"sweep/{p.relative_to(folder).as_posix()}", p.read_bytes()) for p in folder.rglob("*") if p.is_file()
    ]
    (packed,) = pack_folders(dropped[::-1])
    assert packed == from_folder(folder)
    assert load([packed]).digest == load([from_folder(folder)]).digest
    assert load([packed]).sources[0].file == "sweep/a/trainer_state.json"
    (folder / "latest").symlink_to("a")
    assert "links are not followed): latest" in notes(load([from_folder(folder)]))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="folder is empty"):
        from_folder(tmp_path)


def test_files_of_one_folder_are_one_run_and_checkpoints_repeat_it() -> None:
    small = logs.CONFIG.replace('"num_hidden_layers": 6', '"num_hidden_layers": 4')
    runs = load(
        [
            pack(
                "sweep",
                [
                    Upload("a/checkpoint-500/trainer_state.json", logs.trainer_state(upto=500).encode()),
                    Upload("a/checkpoint-1000/trainer_state.json", logs.trainer_state().encode()),
                    Upload("a/checkpoint-1000/config.json", logs.CONFIG.encode()),
                    Upload("b/trainer_state.json", logs.trainer_state(offset=0.3).encode()),
                    Upload("b/config.json", small.encode()),
                    Upload("notes.txt", b"lr was too high in b"),
                ],
            )
        ]
    )
    finals = runs.frame[runs.frame["is_final"]]
    assert finals["run"].tolist() == ["a", "b"]
    assert finals["file"].tolist() == ["sweep/a/checkpoint-1000/trainer_state.json", "sweep/b/trainer_state.json"]
    assert finals["params"].tolist() == [70_426_624, 70_426_624 - 2 * (12 * 512**2 + 13 * 512)]
    assert finals["tokens"].iloc[0] == pytest.approx(1e9, rel=1e-12)
    assert len(runs.curves) == 20
    assert [s.rows for s in runs.sources] == [2, 2]
    assert "Left out" in notes(runs, "warning")


def test_generic_logs_in_folders_are_runs_named_by_their_folders() -> None:
    files = []
    for name, size in (("small", 1e6), ("large", 2e6)):
        losses = {100: 4.0, 200: 3.0, 300: 1e6 / size}
        rows = "".join(f'{{"step": {s}, "loss": {x}, "tokens": {s * 1000}}}\n' for s, x in losses.items())
        files.append(Upload(f"x/{name}/log.jsonl", rows.encode()))
        files.append(Upload(f"x/{name}/config.yaml", f"model:\n  n_params: {size}\n".encode()))
    runs = load(pack_folders(files))
    finals = runs.frame[runs.frame["is_final"]]
    assert dict(zip(finals["run"], finals["params"], strict=True)) == {"small": 1e6, "large": 2e6}
    assert dict(zip(finals["run"], finals["loss"], strict=True)) == {"small": 1.0, "large": 0.5}


def test_settings_that_would_build_objects_or_repeat_themselves_do_no_harm() -> None:
    bomb = "a: &a {x: 1}\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} {{{', '.join(f'k{j}: *{chr(97 + i)}' for j in range(9))}}}\n" for i in range(9)
    )
    marker = Path("never_written_by_a_test")
    tag = f"x: !!python/object/apply:os.system ['touch {marker}']\nparams: 1000000\n"
    lightning = logs.LIGHTNING.encode()
    for text, told in (
        (bomb, "repeats itself"),
        ("{a: " * 5000, "nested too deeply"),
        ("- 1\n", "no names"),
        (tag, ""),
    ):
        runs_zip = zipped(("r/metrics.csv", lightning), ("r/config.yaml", text.encode()), ("t.csv", GOOD))
        assert told in notes(load([Upload("a.zip", runs_zip)]))
    assert not marker.exists()


def test_files_dropped_together_are_sorted_into_usable_and_refused() -> None:
    settings, log = (
        Upload("config.json", logs.CONFIG.encode()),
        Upload("trainer_state.json", logs.trainer_state().encode()),
    )
    assert usable([settings, log]) == ([settings, log], [])
    kept, errors = usable([log, Upload("x.png", b"\x89PNG\r\n\x1a\n")])
    assert kept == [log]
    assert errors[0].where == "x.png"


FOUR = [(f"{name}/runs.csv", b"params,tokens,loss\n" + b"%d,%d,3.%d\n" % (n, n * 20, n % 7) * 1) for n, name in
        [(10**8, "a"), (2 * 10**8, "b"), (3 * 10**8, "c"), (4 * 10**8, "d")]]  # fmt: skip


class Unseekable(io.BytesIO):
    """A stream that a ZIP file is written to without going back, as over a network."""

    def seekable(self) -> bool:
        return False


def cut_zip(kind: int, *, streamed: bool) -> tuple[bytes, int]:
    """A ZIP of four files without its list of contents, and where its last member begins."""
    data = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(data, "w", kind) as archive:
        for name, content in FOUR:
            archive.writestr(name, content)
    whole = data.getvalue()
    return whole[: whole.find(b"PK\x01\x02")], whole.rfind(b"PK\x03\x04")


@pytest.mark.parametrize(
    ("kind", "streamed"),
    [
        (zipfile.ZIP_DEFLATED, False),
        (zipfile.ZIP_STORED, False),
        (zipfile.ZIP_DEFLATED, True),
        (zipfile.ZIP_STORED, True),
    ],
    ids=["deflated", "stored", "deflated, sizes after", "stored, sizes after"],
)
def test_a_zip_cut_short_gives_what_is_whole_with_a_note(kind: int, streamed: bool) -> None:
    data, last = cut_zip(kind, streamed=streamed)
    runs = load([Upload("sweep.zip", data)])  # only the list of contents is missing
    assert sorted(runs.frame["params"]) == [1e8, 2e8, 3e8, 4e8]
    assert "The ZIP archive is cut short or damaged" in notes(runs)
    within = load([Upload("sweep.zip", data[: last + 60])])  # within the last member
    assert sorted(within.frame["params"])[:3] == [1e8, 2e8, 3e8]
    assert set(within.frame["params"]) <= {1e8, 2e8, 3e8, 4e8}, "half a number was taken for a whole one"


def test_a_damaged_member_of_a_cut_zip_is_left_out() -> None:
    data = bytearray(cut_zip(zipfile.ZIP_STORED, streamed=False)[0])
    data[data.find(b"3.") + 2] ^= 1
    runs = load([Upload("sweep.zip", bytes(data))])
    assert len(runs.frame) == 3
    assert "damaged or cut short): a/runs.csv" in notes(runs)


def test_a_bomb_without_its_end_does_not_go_off() -> None:
    data = zipped(("a.csv", bytes(2**26)))
    assert "times its size" in refused("a.zip", data[: data.find(b"PK\x01\x02")])


def test_half_a_line_at_the_end_of_a_cut_stream_is_not_read() -> None:
    rows = b"params,tokens,loss\n" + b"".join(
        b"%d,%d,2.%04d\n" % (10**8 + i, 10**9 + i, i * 7919 % 9973) for i in range(30_000)
    )
    for data in (gzip.compress(rows), zstandard.compress(rows)):
        runs = load([Upload("runs.csv.gz", data[: len(data) // 2])])
        whole = load([Upload("runs.csv", rows)])
        assert 100 < len(runs.frame) < 30_000
        assert runs.frame["loss"].tolist() == whole.frame["loss"].tolist()[: len(runs.frame)]


def test_files_that_were_sorted_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    reader = type(recognise(Upload("runs.csv", GOOD)).reader)
    plain = reader.read
    monkeypatch.setattr(reader, "read", lambda self, upload: (read.append(upload.name), plain(self, upload))[1])
    files = gather_usable(
        [Upload("a.csv", GOOD), Upload("bad.csv", b"1,2\n"), Upload("b.zip", zipped(("c.csv", LONG)))]
    )
    assert read == ["a.csv", "bad.csv", "b.zip/c.csv"]
    assert [u.name for u in files.kept] == ["a.csv", "b.zip"]
    assert [e.where for e in files.refused] == ["bad.csv, line 1"]


def test_an_archive_of_which_nothing_is_of_use_is_refused_beside_others() -> None:
    useless = Upload("x.zip", zipped(("notes.csv", b"1,2\n3,4\n")))
    files = gather_usable([Upload("a.csv", GOOD), useless, Upload("y.zip", b"PK\x03\x04")])
    assert [u.name for u in files.kept] == ["a.csv"]
    assert [e.where.split(",")[0].split("/")[0] for e in files.refused] == ["x.zip", "y.zip"]
    nothing = gather_usable([useless])
    assert (nothing.tables, nothing.kept) == ((), ())
    assert len(nothing.refused) == 1


def test_an_empty_archive_is_not_blamed_for_what_another_holds() -> None:
    hidden = Upload("a.zip", zipped(("runs/.hidden", b"x"), ("runs/a.csv", GOOD)))
    files = gather_usable([hidden, Upload("b.zip", zipped())])
    assert [u.name for u in files.kept] == ["a.zip"]
    assert [(e.where, e.what) for e in files.refused] == [("b.zip", "The archive is empty.")]
