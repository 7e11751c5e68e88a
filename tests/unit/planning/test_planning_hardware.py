"""Accelerators: the table against its sources, choosing by words, making one by hand, and measuring this machine."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from scaling_core.errors import UserError
from scaling_core.planning.hardware import PRECISIONS, Hardware, Price, get_hardware, known_hardware
from scaling_core.planning.hardware_measure import NAME, measure_this_machine


def test_known_rates_are_dense() -> None:
    """989.4 TFLOP/s and not the 1,979 of 2:4 sparsity; an FP8 rate is twice the BF16 one."""
    h100 = get_hardware("H100 SXM 80GB")
    assert h100.peak("bf16") == 9.894e14
    assert h100.peak("fp8") == pytest.approx(2 * h100.peak("bf16"), rel=1e-3)
    assert h100.peak("tf32") == pytest.approx(h100.peak("bf16") / 2, rel=1e-3)
    assert (h100.memory_gb, h100.memory_bandwidth_gb_per_s, h100.tdp_w, h100.intranode_gb_per_s) == (80, 3350, 700, 450)
    assert get_hardware("A100 SXM 80GB").peak() == 3.12e14


def test_every_row_says_where_it_is_from_and_how_sure() -> None:
    assert len(known_hardware()) == 21
    assert len({h.name for h in known_hardware()}) == 21
    for h in known_hardware():
        assert h.source, h.name
        assert h.verified in ("yes", "partly"), h.name
        assert set(h.peak_flops_per_s) <= set(PRECISIONS)
        assert h.price is None or (h.price.date[:2] == "20" and h.price.source)
    assert "180 vs 192" in get_hardware("B200").notes


def test_the_table_restates_the_reference(reference: Path) -> None:
    """Rates in FLOP/s from TFLOP/s; low and high are the extremes of all quotes, typical is a reservation."""
    with (reference / "hardware.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["bf16_tflops"] or row["fp16_tflops"]]
    assert {r["name"] for r in rows} == {h.name for h in known_hardware()}
    for row in rows:
        h = get_hardware(row["name"])
        peaks = {p: float(t) * 1e12 for p in PRECISIONS if (t := row[f"{p}_tflops"])}
        assert h.peak_flops_per_s == pytest.approx(peaks, rel=1e-5)
        sizes = (h.memory_gb, h.memory_bandwidth_gb_per_s, h.tdp_w, h.intranode_gb_per_s)
        wanted = ("mem_gb", "mem_bw_gb_s", "tdp_w", "intranode_bw_gb_s_unidir")
        assert sizes == tuple(float(row[c]) if row[c] else None for c in wanted)
        quotes = [float(row[c]) for c in row if c.startswith("usd_hr") and row[c]]
        assert (h.price is None) == (not quotes)
        if h.price:
            reserved = row["usd_hr_reserved_2026_02"] or row["usd_hr_1yr_min_2025q1"]
            typical = float(reserved) if reserved else math.sqrt(min(quotes) * max(quotes))
            assert (h.price.low, h.price.high) == (min(quotes), max(quotes))
            assert h.price.typical == pytest.approx(typical, rel=1e-5)


def test_a_name_may_be_given_by_words_of_it() -> None:
    assert get_hardware(" b200 ").name == "B200 SXM"
    assert get_hardware("a100 sxm 80").name == "A100 SXM 80GB"
    assert get_hardware("T4").name == "T4"


@pytest.mark.parametrize(("name", "said"), [("H100", "could be any"), ("Z9", "no accelerator"), ("", "no accelerator")])
def test_an_unclear_name_lists_the_choices(name: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        get_hardware(name)
    assert said in error.value.what
    assert "H100 SXM 80GB, H100 PCIe 80GB" in error.value.fix


def test_a_format_that_an_accelerator_lacks_is_refused_with_those_it_has() -> None:
    v100 = get_hardware("V100")
    assert v100.training_precision == "fp16"
    with pytest.raises(UserError, match="No bf16 rate is known for V100 SXM 32GB") as error:
        v100.peak("bf16")
    assert error.value.fix == "Choose one of: fp32, fp16."


def test_made_by_hand_and_through_json() -> None:
    mine = Hardware("ours", {"bf16": 4e14}, memory_gb=96, tdp_w=450, price=Price(1, 1.5, 2, "2026-01"))
    for h in (mine, get_hardware("TPU v5e"), get_hardware("H200")):
        assert Hardware.from_json(json.loads(json.dumps(h.to_json()))) == h
    assert hash(mine) == hash(Hardware.from_json(mine.to_json()))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "x"}, "lacks “peak_flops_per_s”"),
        ({"name": "x", "peak_flops_per_s": {}}, "No rate is given"),
        ({"name": "x", "peak_flops_per_s": {"bf16": -1}}, "cannot be"),
        ({"name": "x", "peak_flops_per_s": {"bf16": "many"}}, "cannot be read"),
        ({"name": "x", "peak_flops_per_s": {"fp12": 1e12}}, "no number format"),
        ({"name": "x", "peak_flops_per_s": {"bf16": 1e12}, "memory_gb": 0}, "cannot be"),
        ({"name": "x", "peak_flops_per_s": {"bf16": 1e12}, "colour": "red"}, "has no “colour”"),
        (
            {"name": "x", "peak_flops_per_s": {"bf16": 1e12}, "price": {"low": 3, "typical": 2, "high": 1}},
            "not in order",
        ),
        ({"name": " ", "peak_flops_per_s": {"bf16": 1e12}}, "needs a name"),
        ({"name": "x", "peak_flops_per_s": {"bf16": 1e12}, "verified": "maybe"}, "how sure"),
    ],
)
def test_what_makes_no_sense_is_refused(data: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Hardware.from_json(data)


def test_measuring_this_machine() -> None:
    """Any processor that runs torch multiplies matrices at more than 0.1 and fewer than 1e6 GFLOP/s."""
    torch = pytest.importorskip("torch")
    allowed = torch.backends.cuda.matmul.allow_tf32
    here = measure_this_machine(seconds=0.05)
    assert here.name == NAME
    assert 1e8 < here.peak("fp32") < 1e15
    assert here.memory_gb is None or here.memory_gb > 0.1
    assert "matrices" in here.notes
    assert torch.__version__ in here.notes
    assert torch.backends.cuda.matmul.allow_tf32 == allowed
