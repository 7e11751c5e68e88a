"""Ladders: what they train, what waits for what, what they save, and what they are said to take."""

from __future__ import annotations

import dataclasses
import json

import pytest

from scaling_core.errors import UserError
from scaling_core.training.forecast import ForecastJob
from scaling_core.training.ladder import Ladder, PlannedJob, plan_ladder, to_meta
from scaling_core.training.ladder_file import ladder_toml, parse_ladder, read_ladder
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.models.base import DataShape
from scaling_core.training.presets import PRESETS, SHAPES, for_flops, from_preset
from scaling_core.training.rungs import Facts
from scaling_core.training.spec import DataSpec, OptimiserSpec, TrainSpec
from scaling_core.training.speed import SUPPOSED, Speed, Timed, speed_of

FACTS = Facts(DataShape("text", 256, 256, (128,)), 11_000_000, 65_536)
STEPS = (256, 512, 1024, 2048, 4096)
SPEC = LadderSpec("sweep", ("16/2", "64/4", "32/2"), tuple(1024.0 * s for s in STEPS))


def ladder(spec: LadderSpec = SPEC, slots: int = 2, speed: Speed = SUPPOSED) -> Ladder:
    return plan_ladder(spec, speed, slots, FACTS)


def by_name(jobs: tuple[PlannedJob, ...]) -> dict[str, PlannedJob]:
    return {job.name: job for job in jobs}


def test_a_doubling_grid_saves_what_the_sum_says() -> None:
    planned = ladder()
    per_size = 0.75 * 16 + 0.25 * 31  # of the smallest budget, against 1 + 2 + 4 + 8 + 16
    assert planned.tokens == 3 * per_size * 256 * 1024
    assert planned.tokens_apart == 3 * 31 * 256 * 1024
    assert planned.saved == pytest.approx(0.3629, abs=1e-4)
    apart = ladder(dataclasses.replace(SPEC, share_trunk=False))
    assert (apart.saved, apart.tokens) == (0.0, planned.tokens_apart)
    assert len(apart.rungs) == 15


def test_sizes_are_counted_and_flops_are_those_of_the_tokens_trained() -> None:
    planned = ladder()
    assert [r.params for r in planned.runs[::5]] == [10_240, 32_768, 212_992]
    by_hand = sum(r.own_tokens * r.flops_per_token for r in planned.rungs)
    assert planned.flops == by_hand
    # 3 · (2 N + layers · 4 d · (context + 1) / 2) for 16/2
    assert planned.rungs[0].flops_per_token == 3 * (2 * 10_240 + 2 * 4 * 16 * 129 / 2)
    last = planned.dots.iloc[-1]
    assert last["flops"] == last["tokens"] * planned.runs[-1].flops_per_token


def test_every_run_waits_for_its_checkpoint_and_the_last_end_for_the_forecast() -> None:
    planned = ladder()
    jobs = by_name(planned.requests())
    assert len(jobs) == 3 * 6 + 1
    trunk = TrainSpec.from_json(jobs["w64-l4-trunk"].spec_json)
    assert (trunk.role, trunk.tokens) == ("trunk", 3072 * 1024)
    assert trunk.keep_at == tuple(int(0.75 * 1024 * s) for s in STEPS)
    for rung in planned.runs:
        spec = TrainSpec.from_json(jobs[rung.name].spec_json)
        assert spec.start.kind == "branch"
        assert spec.start.tokens == 0.75 * spec.tokens
        assert spec.start.tokens in TrainSpec.from_json(jobs[spec.start.folder].spec_json).keep_at
        assert (spec.start.folder, f"kept-{spec.start.tokens}") in jobs[rung.name].needs
    assert planned.test is not None
    test = planned.test.name
    assert test == "w64-l4-4.19M"
    assert ("forecast", "done") in jobs[test].needs
    assert [n for n, job in jobs.items() if ("forecast", "done") in job.needs] == [test]
    others = {(r.name, "ended") for r in planned.runs if r.name != test}
    assert set(jobs["forecast"].needs) == others
    assert ForecastJob.from_json(jobs["forecast"].spec_json).test == test


def test_the_largest_trunk_goes_first_then_small_to_large() -> None:
    jobs = sorted(ladder().requests(), key=lambda j: -j.priority)
    assert jobs[0].name == "w64-l4-trunk"
    assert len({j.priority for j in jobs}) == len(jobs)
    order = [j.name.split("-")[0] for j in jobs[1:] if j.kind == "train"]
    assert order == sorted(order)
    assert ladder().timeline["w64-l4-trunk"].start == 0.0


def test_the_simulated_time_lies_between_its_bounds() -> None:
    starting = 6.0
    for slots in (1, 2, 4, 64):
        planned = ladder(slots=slots)
        chain = [planned.rungs[-6], planned.rungs[-1]]
        longest = sum(SUPPOSED.seconds(r.own_tokens, r.flops_per_token, r.validated) for r in chain)
        assert max(planned.busy_s / slots, longest) <= planned.seconds - starting <= planned.busy_s + 1e-9
    assert ladder(slots=1).seconds == pytest.approx(starting + ladder(slots=1).busy_s)
    assert ladder(slots=2).cost(1800.0) == pytest.approx(ladder(slots=2).seconds)


def test_designs_place_their_runs() -> None:
    iso = ladder(dataclasses.replace(SPEC, design="isoflop", budgets=(1e12, 4e12)))
    for _, runs in iso.dots.groupby(iso.dots["flops"].round(-12)):
        assert runs["flops"].max() / runs["flops"].min() < 1.02
        assert len(runs) == 3
    fixed = ladder(dataclasses.replace(SPEC, design="fixed-ratio", budgets=(20.0, 40.0)))
    assert fixed.dots["tokens_per_param"].between(19, 41.1).all()
    assert fixed.test is not None
    assert fixed.test.spec.tokens == pytest.approx(40 * 212_992, rel=0.01)


def test_a_ladder_that_cannot_be_says_why() -> None:
    with pytest.raises(UserError, match="same 4\\.10k tokens"):
        ladder(dataclasses.replace(SPEC, budgets=(1000.0, 2000.0)))
    with pytest.raises(UserError, match="64x4"):
        dataclasses.replace(SPEC, sizes=("64x4",))
    with pytest.raises(UserError, match="twice"):
        dataclasses.replace(SPEC, sizes=("64/4", "64 / 4"))
    with pytest.raises(UserError, match="does not divide into"):
        ladder(dataclasses.replace(SPEC, sizes=("65/2",)))


def test_runs_that_repeat_their_data_are_noted() -> None:
    assert ladder().notes == (SUPPOSED.note,)
    repeated = ladder(dataclasses.replace(SPEC, budgets=(1e6, 2e7)))
    assert any("one pass over the data has 11.0M" in note for note in repeated.notes)
    cosine = dataclasses.replace(SPEC, optimiser=OptimiserSpec(schedule="cosine"))
    assert ladder(cosine).test is None
    assert any("No run is held back" in note for note in ladder(cosine).notes)


def test_what_a_queue_keeps_with_a_ladder_is_json() -> None:
    meta = json.loads(json.dumps(to_meta(ladder())))
    assert [d["run"] for d in meta["dots"]] == [r.name for r in ladder().runs]
    assert meta["estimate_s"] == ladder().seconds


# ---- files


def test_a_ladder_file_comes_back_as_it_was(tmp_path) -> None:  # type: ignore[no-untyped-def]
    spec = dataclasses.replace(
        SPEC, compile=False, data=DataSpec("text", 'C:\\a "b" é\n'), optimiser=OptimiserSpec(matrix_lr=1 / 3),
        budgets=(0.1, 2.5e20, 3.0),
    )  # fmt: skip
    assert parse_ladder(ladder_toml(spec)) == spec
    assert parse_ladder(ladder_toml(SPEC)) == SPEC
    path = tmp_path / "LADDER.toml"
    path.write_text(ladder_toml(spec), encoding="utf-8")
    assert read_ladder(path) == spec


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "not TOML"),
        ('name = "a"\nsizes = ["16/2"]\nbudgets = ["x"]', "L.toml, budgets: 'x' is no value"),
        (
            'name = "a"\nsizes = ["16/2"]\nbudgets = [1e6]\n[optimiser]\nlr = 1',
            "L.toml, optimiser: There is no field “lr”",
        ),
        ('name = "a"\nsizes = ["16/2"]\nbudgets = [1e6]\ndesign = "star"', "L.toml, design: 'star' is no value"),
        ('name = "a"\nsizes = []\nbudgets = [1e6]', "L.toml, sizes: A ladder needs sizes"),
        ('name = "a"\nbudgets = [1e6]', "L.toml, sizes: A ladder needs sizes"),
        ('name = "a"\nsizes = ["16/2"]', "L.toml, budgets: A ladder needs budgets"),
        ("budgets = [1e6]", "Fields are missing"),
        ('name = "a"\nsizes = ["16/2"]\nbudgets = [-1]', "L.toml, budgets: A budget of -1"),
    ],
)
def test_errors_of_a_file_name_the_field(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_ladder(text, "L.toml")
    assert said in caught.value.line()


def test_a_file_that_is_not_there_is_said(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="No such file"):
        read_ladder(tmp_path / "none.toml")


# ---- speed


def test_speed_finds_the_line_and_passes_through_what_was_timed() -> None:
    exact = [Timed(f, 1e-5 + 2e-11 * f) for f in (1e5, 1e6, 4e6)]
    speed = speed_of(exact, 2.0, "timed")
    assert (speed.seconds_per_token, speed.seconds_per_flop) == pytest.approx((1e-5, 2e-11))
    assert speed.per_token(2e7) == pytest.approx(1e-5 + 4e-4)
    bent = [*exact[:2], Timed(4e6, 2e-4)]
    speed = speed_of(bent, 2.0, "timed")
    assert [speed.per_token(t.flops_per_token) for t in bent] == pytest.approx([t.seconds_per_token for t in bent])
    assert speed.seconds(1e6, 1e6, 1e6) == pytest.approx(2.0 + 1.3e6 * speed.per_token(1e6))
    assert Speed.from_json(speed.to_json()) == speed
    with pytest.raises(UserError, match="no measured speed"):
        Speed.from_json("[")


# ---- presets


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("slots", [1, 2, 8])
def test_a_preset_fills_its_time_and_no_more(name: str, slots: int) -> None:
    planned = from_preset(name, SUPPOSED, slots, facts=FACTS)
    preset = PRESETS[name]
    assert planned.seconds <= 0.85 * preset.seconds
    assert len(planned.runs) == preset.sizes * preset.budgets
    at_the_limit = max(planned.spec.budgets) > 0.95 * planned.facts.unique_tokens
    assert at_the_limit or planned.seconds > 0.75 * preset.seconds
    assert max(planned.spec.budgets) <= planned.facts.unique_tokens
    fitted = [b for b in planned.spec.budgets if b >= planned.spec.forecast.min_tokens]
    assert len(fitted) == preset.fitted


def test_a_quicker_machine_gets_more_tokens_then_larger_sizes() -> None:
    quick = dataclasses.replace(SUPPOSED, seconds_per_token=2e-6, seconds_per_flop=1e-12, start_s=1.0)
    slow, fast = (from_preset("10min", s, 2, facts=FACTS) for s in (SUPPOSED, quick))
    assert fast.flops > 4 * slow.flops
    assert SHAPES.index(fast.spec.sizes[-1]) > SHAPES.index(slow.spec.sizes[-1])


def test_a_budget_of_flops_is_spent() -> None:
    planned = for_flops(2e13, SPEC, SUPPOSED, 2, facts=FACTS)
    assert 0.9 * 2e13 < planned.flops <= 2e13
    with pytest.raises(UserError, match="cost more than that"):
        for_flops(1e6, SPEC, SUPPOSED, 2, facts=FACTS)
