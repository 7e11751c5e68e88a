"""What a machine is told to be, where jobs can run, and a text kept for the workers."""

import math
from pathlib import Path

import pytest

from scaling_core.errors import UserError
from scaling_core.jobs.executors import EXECUTORS
from scaling_core.jobs.host import _memory, host, measured_peaks, parse_gpus
from scaling_core.jobs.places import places
from scaling_core.jobs.submit import keep_text


def test_gpus_are_read_from_the_table_of_the_driver() -> None:
    one, two = parse_gpus("0, NVIDIA H100 80GB HBM3, 81559, 1024, 37\n1, Tesla K80, 11441, 0, [N/A]\n")
    assert (one.index, one.name, one.busy) == ("0", "NVIDIA H100 80GB HBM3", 0.37)
    assert one.memory == 81559 * 2**20
    assert one.used == 2**30
    assert math.isnan(two.busy)
    assert parse_gpus("No devices were found\n") == ()


def test_the_memory_of_a_container_is_its_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert _memory(tmp_path) == (1e6, 6e5)
    (tmp_path / "memory.max").write_text("max\n")
    total, free = _memory(tmp_path)
    assert total > 1e6
    assert 0 < free <= total


def test_a_workspace_that_is_not_there_yet_can_be_looked_at(tmp_path: Path) -> None:
    seen = host(tmp_path / "not" / "yet")
    assert seen.workspace == 0
    assert 1 <= seen.usable <= seen.cores
    assert 0 < seen.disk_free <= seen.disk


def test_peaks_of_another_machine_are_not_taken_for_this_one(tmp_path: Path) -> None:
    assert measured_peaks(tmp_path) is None
    (tmp_path / "machine.json").write_text('{"flops_per_s": {"fp32": 1e12}, "how": "", "machine": "another"}')
    assert measured_peaks(tmp_path) is None


def test_every_executor_is_a_place() -> None:
    assert [place.name for place in places()] == list(EXECUTORS)
    assert all(place.install for place in places() if place.missing)


def test_a_text_is_kept_once_by_what_it_holds(tmp_path: Path) -> None:
    first = keep_text(tmp_path, "../../war and peace.txt", b"Well, Prince")
    assert first.parent == tmp_path / "texts"
    assert first.name.endswith("-war-and-peace.txt")
    assert first.read_bytes() == b"Well, Prince"
    assert keep_text(tmp_path, "war and peace.txt", b"Well, Prince") == first


@pytest.mark.parametrize(("content", "said"), [(b"", "empty"), (b"a\0b", "not text")])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        keep_text(tmp_path, "x", content)
