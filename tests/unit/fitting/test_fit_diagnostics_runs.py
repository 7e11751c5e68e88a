"""Diagnostics that look at the runs: each fires where it must, and is silent where it must not."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from made_runs import chinchilla_loss, chinchilla_runs, fitted, grid, noise, table

from scaling_core.fitting import FitResult, Selection
from scaling_core.fitting.diagnostics import DIAGNOSTICS, Evidence, Finding
from scaling_core.fitting.diagnostics.chance import normal_of_f, runs_test, within_correlation
from scaling_core.fitting.diagnostics.residuals import repeats_noise
from scaling_core.runs import RunTable
from scaling_core.runs.schema import Source

LOOK = {d.name: d.look for d in DIAGNOSTICS}
N, D = grid()


def seen(name: str, runs: RunTable, law: str = "chinchilla", **how: Any) -> Finding | None:
    return LOOK[name](Evidence(runs, fitted(runs, law, "mse-log", **how)))


@cache
def plain(law: str = "chinchilla") -> tuple[RunTable, FitResult]:
    """The grid with half a percent of noise, and its fit."""
    runs = chinchilla_runs(0.005)
    return runs, fitted(runs, law, "mse-log")


def with_columns(law: str = "chinchilla", sources: tuple[Source, ...] = (), **columns: Any) -> Evidence:
    """The same with further columns, which no fit reads."""
    runs, fit = plain(law)
    return Evidence(
        replace(runs, frame=runs.frame.assign(**columns), sources=sources),
        replace(fit, points=fit.points.assign(**columns)),
    )


def seen_in(name: str, **columns: Any) -> Finding | None:
    return LOOK[name](with_columns(**columns))


def checkpoints(above: float, shared: float = 0.0, runs: int = 12) -> RunTable:
    """Runs of four sizes and several lengths, four checkpoints each; those before the end lie above the law.

    A run's checkpoints share a factor.
    """
    n, last = np.repeat(np.geomspace(1e7, 1e10, 4), runs // 4), np.tile(np.geomspace(4e9, 1e12, runs // 4), 4)
    d = (last[:, None] * np.array([0.1, 0.25, 0.5, 1.0])).ravel()
    n, end = np.repeat(n, 4), np.tile([False, False, False, True], runs)
    loss = chinchilla_loss(n, d) * noise(len(n), 0.002) * np.where(end, 1.0, 1 + above)
    loss = loss * np.repeat(noise(runs, shared, 5), 4)
    return table(n, d, loss, is_final=end, run=[f"run {i // 4}" for i in range(len(n))])


def test_three_scales_of_each_predictor_are_needed() -> None:
    near = np.where(N < 3e8, 1e8, np.where(np.arange(36) % 2, 1e9, 1.02e9))  # figures read off a plot
    found = seen("scales", table(near, D, chinchilla_loss(near, D) * noise(36, 0.005)))
    assert found is not None
    assert (found.severity, found.number) == ("doubt", 2)
    assert "only 2 scales of N (parameters)" in found.text
    assert seen("scales", chinchilla_runs(0.005, sizes=3)) is None


def test_one_line_of_n_and_d() -> None:
    x = np.geomspace(1e7, 1e10, 12)
    found = seen("collinear", table(x, 20 * x, chinchilla_loss(x, 20 * x) * noise(12, 0.01)))
    assert found is not None
    assert found.severity == "problem"
    assert found.number == pytest.approx(1.0)
    assert seen_in("collinear") is None


@pytest.mark.parametrize(("most", "severity"), [(2.0, "doubt"), (40.0, "problem")])
def test_repeated_data_under_a_law_of_new_tokens(most: float, severity: str) -> None:
    found = seen_in("epochs", unique_tokens=D.max() / most)
    assert found is not None
    assert (found.severity, found.number) == (severity, pytest.approx(most))
    assert seen_in("epochs", unique_tokens=D) is None
    assert seen_in("epochs", law="power-n", unique_tokens=D.max() / most) is None


def test_few_runs_behind_many_checkpoints() -> None:
    found = seen("checkpoints", checkpoints(0.0, runs=8), selection=Selection("all"))
    assert found is not None
    assert "Behind 32 checkpoints stand only 8 runs" in found.text
    assert seen("checkpoints", checkpoints(0.0), selection=Selection("all")) is None
    assert seen_in("checkpoints") is None


def test_checkpoints_that_nobody_marked_show_by_their_residuals() -> None:
    for shared, fires in ((0.02, True), (0.0, False)):
        runs = checkpoints(0.0, shared)
        unmarked = replace(runs, frame=runs.frame.assign(is_final=True))
        found = seen("checkpoints", unmarked, resamples=10)
        assert (found is not None) == fires
        if found:
            assert found.number == pytest.approx(math.sqrt(4), rel=0.1)  # four rows a run, hardly apart
            assert "48 rows share 12 run names" in found.text


def test_checkpoints_before_the_end_lie_above_the_law() -> None:
    found = seen("last or all", checkpoints(0.03), selection=Selection("all"))
    assert found is not None
    assert found.number == pytest.approx(0.03, abs=0.005)
    assert seen("last or all", checkpoints(0.0), selection=Selection("all")) is None
    assert seen_in("last or all") is None


def repeated(noise_size: float, times: int = 2, bend: float = 0.0, **columns: Any) -> RunTable:
    """The grid, each configuration trained so many times; ``bend`` lifts the middle sizes above any such law."""
    n, d = np.tile(N, times), np.tile(D, times)
    x = np.log(n / np.sqrt(1e7 * 1e10))
    loss = chinchilla_loss(n, d) * np.exp(bend * np.cos(2 * x)) * noise(len(n), noise_size, 3)
    return table(n, d, loss, **columns)


def test_repeats_say_what_a_seed_changes() -> None:
    runs = repeated(0.01)
    found = seen("seeds", runs)
    first, second = np.log(runs.frame["loss"].to_numpy()).reshape(2, 36)
    assert found is not None
    assert found.number == pytest.approx(np.sqrt(np.mean((first - second) ** 2) / 2))
    assert found.number == pytest.approx(0.01, rel=3 / np.sqrt(2 * 36))  # three standard errors of 36 pairs
    assert seen_in("seeds") is None


def test_runs_of_another_recipe_or_of_unknown_size_repeat_nothing() -> None:
    for column in ({"lr": np.repeat([1e-3, 3e-4], 36)}, {"dataset": np.repeat(["c4", "pile"], 36)}):
        runs = repeated(0.01, **column)
        assert repeats_noise(Evidence(runs, fitted(runs, objective="mse-log")))[1] == 0
    runs = repeated(0.01, params_guess=1.0)
    blank = replace(runs, frame=runs.frame.assign(params=np.nan))
    assert repeats_noise(Evidence(blank, fitted(blank, "power-d", "mse-log")))[1] == 0
    seeded = repeated(0.01, seed=np.repeat([1, 2], 36))
    assert repeats_noise(Evidence(seeded, fitted(seeded, objective="mse-log")))[1] == 36


def test_lack_of_fit_against_repeats() -> None:
    found = seen("lack of fit", repeated(0.003, bend=0.02))
    assert found is not None
    assert "what repeats of one configuration differ by" in found.text
    assert found.number is not None
    assert found.number > 2
    assert seen("lack of fit", repeated(0.003)) is None
    assert seen("lack of fit", repeated(0.02, bend=0.02)) is None  # drowned in the noise


def test_lack_of_fit_by_signs() -> None:
    found = seen("lack of fit", repeated(0.001, times=1, bend=0.02))
    assert found is not None
    assert "along D" in found.text  # at one size after the other, along D the sign stays
    assert seen("lack of fit", chinchilla_runs(0.005, 4)) is None
    assert seen("lack of fit", chinchilla_runs(0.0)) is None  # rounding is no bend


def test_data_sets_that_lie_apart() -> None:
    kind = np.where(np.arange(36) % 2, "pile", "c4")
    apart = table(N, D, chinchilla_loss(N, D) * noise(36, 0.003) * np.where(kind == "pile", 1.03, 1.0), dataset=kind)
    found = seen("kinds", apart)
    assert found is not None
    assert found.number == pytest.approx(0.03, abs=0.005)
    assert "dataset pile lie" in found.text
    assert seen_in("kinds", dataset=kind) is None
    assert seen_in("kinds", label=[f"run number {i}" for i in range(36)]) is None


def test_far_off_and_scatter() -> None:
    loss = chinchilla_loss(N, D) * noise(36, 0.002)
    loss[5] *= 1.3
    found = LOOK["far off"](Evidence(table(N, D, loss), fitted(table(N, D, loss))))
    assert found is not None
    assert found.number == pytest.approx(0.3, abs=0.02)
    assert seen_in("far off") is None
    assert seen("scatter", chinchilla_runs(0.1)) is not None
    assert seen_in("scatter") is None


@pytest.mark.parametrize("name", ["warmup_steps", "config/lr_warmup_steps", "num_warmup_steps"])
def test_warm_up_of_one_length(name: str) -> None:
    steps = D / 1e6
    found = seen_in("warm-up", **{name: 300.0, "train_steps": steps})
    assert found is not None
    assert found.number == pytest.approx(0.3)
    assert "up to 30% of a run and as little as 0.03%" in found.text
    assert seen_in("warm-up", **{name: 0.02 * steps, "train_steps": steps}) is None
    assert seen_in("warm-up") is None


def test_warm_up_as_tokens_or_share() -> None:
    assert seen_in("warm-up", warmup_tokens=3e8) is not None
    assert seen_in("warm-up", warmup_ratio=0.05) is None
    assert seen_in("warm-up", warmup_ratio=np.geomspace(0.01, 0.5, 36)) is not None


def test_schedules_longer_than_the_runs() -> None:
    found = seen_in("decay", decay_tokens=np.maximum(D, 4e9))
    assert found is not None
    assert found.number == pytest.approx(4.0)
    short = int((4e9 / D > 1.25).sum())
    assert f"{short} of 36 runs end before" in found.text
    assert seen_in("decay", decay_tokens=1.1 * D) is None
    assert seen_in("decay") is None


def test_schedules_that_differ() -> None:
    found = seen_in("decay", lr_schedule=np.where(np.arange(36) < 9, "constant", "cosine"))
    assert found is not None
    assert "9 of 36 runs keep their learning rate" in found.text
    assert seen_in("decay", lr_schedule="cosine") is None
    assert seen_in("decay", lr_schedule="constant") is None


@pytest.mark.parametrize(("low", "severity"), [(1e7, "doubt"), (2e8, "info"), (2e9, None)])
def test_one_learning_rate_for_all_sizes(low: float, severity: str | None) -> None:
    sizes = np.geomspace(low, 1e10, 36)
    found = seen_in("learning rate", params=sizes, learning_rate=3e-4)
    assert (found.severity if found else None) == severity
    assert seen_in("learning rate", params=sizes, lr=sizes**-0.3) is None


def test_embeddings_that_change_the_best_size() -> None:
    blocks = N - 5e6 * (N / 1e7) ** 0.5  # a table of embeddings that grows with width
    runs = table(N, D, chinchilla_loss(blocks, D) * noise(36, 0.0002), params_non_embedding=blocks)
    found = seen("embeddings", runs)
    assert found is not None
    assert found.severity == "doubt"
    assert "up to 50% of N" in found.text
    assert "grows as C^0.51" in found.text  # .36/(.34 + .36): the law is one of the blocks
    assert seen_in("embeddings", params_non_embedding=0.95 * N) is None
    assert seen_in("embeddings", params_non_embedding=0.7 * N) is None  # the same share moves no exponent


def source(convention: str) -> Source:
    return Source("made.csv", "", "CSV", 36, (), {}, "nats", convention, "6ND", "validation")


def test_small_models_counted_without_embeddings() -> None:
    found = seen_in("embeddings", sources=(source("non-embedding"),))
    assert found is not None
    assert (found.severity, found.number) == ("info", pytest.approx(1e7))
    assert seen_in("embeddings", sources=(source("total"),)) is None


@pytest.mark.parametrize(("factor", "severity"), [(1.02, None), (1.25, "info"), (1.8, "doubt"), (0.5, "doubt")])
def test_compute_counted_otherwise(factor: float, severity: str | None) -> None:
    found = seen_in("compute", flops=factor * 6 * N * D)
    assert (found.severity if found else None) == severity
    if found:
        assert found.number == pytest.approx(factor)


def on(runs: RunTable) -> Evidence:
    """Runs for looks that need no fit of them."""
    points = runs.frame.assign(role="fitted", predicted=runs.frame["loss"], residual=0.0)
    return Evidence(runs, replace(plain()[1], points=points))


def profiles(low: float, high: float, size: float = 0.0005) -> Evidence:
    """Seven sizes at each of six budgets, from ``low`` to ``high`` times the best size."""
    budgets = np.repeat(np.geomspace(1e19, 1e21, 6), 7)
    best = (0.34 * 400 / (0.36 * 2000)) ** (1 / 0.7) * (budgets / 6) ** (0.36 / 0.7)
    n = best * np.tile(np.geomspace(low, high, 7), 6)
    d = budgets / 6 / n
    return on(table(n, d, chinchilla_loss(n, d) * noise(42, size)))


def test_isoflop_profiles_that_show_their_minimum_are_well() -> None:
    runs = profiles(0.3, 3.0)
    assert all(LOOK[name](runs) is None for name in ("not bracketed", "curvature", "isoflop grid"))


def test_isoflop_minimum_that_is_not_bracketed() -> None:
    found = LOOK["not bracketed"](profiles(1.3, 6.0))
    assert found is not None
    assert (found.severity, found.number) == ("doubt", 6)


def test_isoflop_profiles_that_hardly_bend() -> None:
    found = LOOK["curvature"](profiles(0.6, 1.7, 0.01))
    assert found is not None
    assert found.number is not None
    assert found.number >= 3


def test_isoflop_grid_that_is_too_wide() -> None:
    found = LOOK["isoflop grid"](profiles(1 / 16, 16.0))
    assert found is not None
    assert (found.severity, found.number) == ("info", 6)


def test_a_grid_of_sizes_by_lengths_is_no_set_of_profiles() -> None:
    runs = on(chinchilla_runs(0.005, sizes=10, lengths=10))
    assert all(LOOK[name](runs) is None for name in ("not bracketed", "curvature", "isoflop grid"))


def test_what_the_runs_do_not_say_is_one_line() -> None:
    found = seen_in("unsaid")
    assert found is not None
    assert (found.severity, found.number) == ("info", 6)
    assert "warm-up, learning-rate decay, learning rates by size, embeddings in N, repeated data or seeds" in found.text
    some = seen_in("unsaid", lr=N**-0.3, lr_schedule="cosine", warmup_ratio=0.01, seed=1)
    assert some is not None
    assert some.fix == "Add what you know of it as columns: params_non_embedding and unique_tokens."


def test_where_it_does_not_matter_nothing_is_asked() -> None:
    said = {"lr": N**-0.3, "lr_schedule": "cosine", "warmup_ratio": 0.01, "seed": 1, "unique_tokens": D}
    assert seen_in("unsaid", sources=(source("total"),), **said) is None


def test_runs_test_against_the_published_example() -> None:
    """Counts of runs of signs: mean 1 + 2ab/n, variance (mean−1)(mean−2)/(n−1) (Wald & Wolfowitz 1940)."""
    signs = np.array([1, 1, 1, 1, -1, -1, -1, 1, 1, 1, -1, -1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1])  # 6 runs, 13 and 9
    assert runs_test(signs.astype(float)) == pytest.approx(
        (6 - 11.63636) / math.sqrt(10.63636 * 9.63636 / 21), abs=1e-4
    )
    assert runs_test(np.tile([1.0, -1.0], 20)) > 5
    assert runs_test(np.ones(30)) == 0


def test_f_ratio_as_a_normal_quantile() -> None:
    """Tables of F: 5% of F(5, 20) lies above 2.71, 1% of F(10, 30) above 2.98, 0.1% of F(4, 60) above 5.31."""
    assert normal_of_f(2.71, 5, 20) == pytest.approx(1.645, abs=0.01)
    assert normal_of_f(2.98, 10, 30) == pytest.approx(2.326, abs=0.01)
    assert normal_of_f(5.31, 4, 60) == pytest.approx(3.090, abs=0.02)


def test_correlation_within_groups() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(400), 5)
    values = rng.normal(size=400)[groups] + 0.5 * rng.normal(size=2000)
    assert within_correlation(values, groups) == pytest.approx(1 / 1.25, abs=0.03)
    assert within_correlation(rng.normal(size=2000), groups) == pytest.approx(0.0, abs=0.03)
    assert within_correlation(np.arange(3.0), np.arange(3)) == 0
