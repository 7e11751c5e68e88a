"""Charts of ladders: planned dots, the growing law, and training curves."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from charts_helpers import checked, parts

from scaling_core.charts.growing import growing_chart
from scaling_core.charts.ladder import ladder_chart
from scaling_core.charts.palette import DARK, LIGHT, Palette
from scaling_core.charts.training_curves import MOST_POINTS, thinned, training_chart

SIZES, BUDGETS = (1e4, 1e5, 6e5), (5e5, 1e6, 2e6)


def dots() -> pd.DataFrame:
    rows = [{"run": f"r{n:g}-{d:g}", "role": "run", "params": n, "tokens": d, "flops": 6 * n * d, "loss": np.nan}
            for n in SIZES for d in BUDGETS]  # fmt: skip
    rows[-1]["role"] = "test"
    rows[0] |= {"loss": 1.9}
    states = ["done", "running", "failed", *["planned"] * 5, "strange"]
    return pd.DataFrame(rows).assign(state=states)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_dots_of_a_ladder(palette: Palette) -> None:
    figure = ladder_chart(dots(), palette)
    checked(figure)
    drawn = figure.frames.by_name["dots"]
    assert list(drawn["state"]) == ["done", "running", "failed", *["planned"] * 6]
    assert drawn["__kind"].iloc[-1] == "held back"
    assert list(drawn["__loss"][:2]) == ["1.900", "not yet"]
    assert drawn["__ratio"].iloc[0] == "50"
    compute = figure.frames.by_name["compute"]
    product = compute["params"] * compute["tokens"]
    assert list(np.log10(6 * product).round(9)) == [11.0, 12.0]  # the runs reach from 3e10 to 7e12 FLOPs
    assert np.allclose(product, compute["end_n"] * compute["end_d"])


def test_a_bare_plan_can_be_drawn() -> None:
    checked(ladder_chart(dots().drop(columns=["state", "loss"]), LIGHT), schema=False)


def test_lines_of_6nd_are_drawn_where_compute_is_near_it() -> None:
    images = dots().assign(flops=lambda frame: 60 * frame["flops"])
    assert set(ladder_chart(images, LIGHT).frames.by_name) == {"dots"}


def test_the_growing_law() -> None:
    done = dots().iloc[:4].assign(loss=[2.0, 1.9, 1.8, 1.7])
    coming = dots().iloc[4:].assign(predicted=1.5, low=1.4, high=1.6)
    curves = pd.DataFrame(
        [{"params": n, "tokens": d, "loss": 1.7, "low": 1.6, "high": 1.8} for n in SIZES for d in BUDGETS]
    )
    figure = growing_chart(done, LIGHT, curves=curves, coming=coming)
    spec = checked(figure)
    assert set(figure.frames.by_name) == {"points", "rings", "curves"}
    assert figure.frames.by_name["rings"]["interval"].iloc[0] == "1.400 – 1.600"
    rings = [part for part, name in parts(spec) if name == "rings" and part["mark"]["type"] == "point"]
    assert rings[0]["mark"]["filled"] is False
    y = rings[0]["encoding"]["y"]["scale"]["domain"]
    assert y[0] < 1.5
    assert y[1] > 2.0


def test_before_there_is_a_law_points_stand_alone() -> None:
    done = dots().iloc[:2].assign(loss=[2.0, 1.9], test=[False, True])
    figure = growing_chart(done, DARK, coming=dots().iloc[:0].assign(predicted=[], low=[], high=[]))
    checked(figure, schema=False)
    assert set(figure.frames.by_name) == {"points"}
    assert list(figure.frames.by_name["points"]["kind"]) == ["fitted", "held back"]
    checked(growing_chart(done.iloc[:0], DARK), schema=False)


def test_training_curves_keep_their_spikes() -> None:
    n = 6000
    tokens = np.arange(1, n + 1) * 1024.0
    frames = []
    for run in ("a", "b"):
        loss = 5 * tokens**-0.1
        loss[n // 3] = 9.0
        frames.append(pd.DataFrame({"run": run, "tokens": tokens, "loss": loss, "params": 1e4 if run == "a" else 1e5}))
    lines = pd.concat(frames, ignore_index=True)
    kept = thinned(lines, "loss")
    assert len(kept) <= MOST_POINTS + 8
    assert (kept["loss"] == 9.0).sum() == 2
    for name, run in kept.groupby("run"):
        assert run["tokens"].is_monotonic_increasing, name
        assert {run["tokens"].iloc[0], run["tokens"].iloc[-1]} == {tokens[0], tokens[-1]}
    figure = training_chart(lines.assign(val_loss=np.where(lines.index % 1000 == 0, lines["loss"], np.nan)), LIGHT)
    checked(figure)
    assert len(figure.frames.by_name["dots"]) == 12
    checked(training_chart(lines.assign(lr=0.01), LIGHT, y="lr", log_x=False), schema=False)


def test_axes_say_what_is_learned_from() -> None:
    done = dots().assign(loss=1.5)
    lines = done.assign(step=1)
    drawn = (ladder_chart(done, LIGHT, unit="example"), growing_chart(done, LIGHT, unit="example"),
             training_chart(lines, LIGHT, unit="example"))  # fmt: skip
    for figure in drawn:
        text = json.dumps(figure.spec(), default=str)
        assert "Training examples D" in text
        assert "Training tokens D" not in text
        assert "per token" not in text
    assert "nats per example" in json.dumps(drawn[1].spec(), default=str)
    assert "Loss L (nats per token)" in json.dumps(growing_chart(done, LIGHT).spec(), default=str)


def test_the_labels_of_equal_compute_stand_above_the_dots() -> None:
    figure = ladder_chart(dots(), LIGHT)
    compute, tokens = figure.frames.by_name["compute"], dots()["tokens"]
    at_top = compute[compute["tokens"] > tokens.max()]
    assert len(at_top), "of the lines some end at the top"
    assert at_top["tokens"].min() > tokens.max() * (tokens.max() / tokens.min()) ** 0.15
