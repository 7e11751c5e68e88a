"""Ladders that start from a finished run: what they take from it, and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest

from scaling_core.cli import main
from scaling_core.errors import UserError
from scaling_core.training.asked import TOKENS, Asked, plan_asked, read_tokens
from scaling_core.training.base_run import read_base
from scaling_core.training.folder import CHECKPOINT_VERSION, RunFolder, Status
from scaling_core.training.ladder import Ladder, plan_ladder
from scaling_core.training.ladder_file import ladder_toml, parse_ladder
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.models import DataShape, family
from scaling_core.training.presets import for_seconds
from scaling_core.training.rungs import Facts
from scaling_core.training.spec import DataSpec, ModelSpec, OptimiserSpec, TrainSpec
from scaling_core.training.speed import SUPPOSED

FACTS = Facts(DataShape("text", 256, 256, (32,)), 4_000_000, 65_536)
LABELS = Facts(DataShape("labels", 0, 10, (1, 8, 8)), 1_438, 359)
SPEC = TrainSpec("w48-l2-1.05M", 1_048_576, ModelSpec(width=48, layers=2, context=32), DataSpec("markov"),
                 OptimiserSpec(matrix_lr=0.007), precision="fp32")  # fmt: skip
N = family("decoder").count(SPEC.model, FACTS.shape).fitted


def base(folder: Path, spec: TrainSpec = SPEC) -> RunFolder:
    """A run as a worker leaves it, but for what its weights are."""
    run = RunFolder(folder / "first" / spec.name)
    run.create(spec.to_json())
    run.finish(
        {
            "run": spec.name,
            "n_params": N,
            "shape": asdict(FACTS.shape),
            "checkpoint_version": CHECKPOINT_VERSION,
            "tokens": spec.tokens,
            "loss": 2.5,
        }
    )
    run.last.write_bytes(b"weights")
    return run


def plan(run: RunFolder, budgets: tuple[float, ...] = (65_536.0, 131_072.0, 262_144.0), **fields: object) -> Ladder:
    spec = LadderSpec("tuned", start=str(run.path), budgets=budgets, **fields)  # type: ignore[arg-type]
    return plan_ladder(spec, SUPPOSED, 2, FACTS)


def test_its_size_is_that_of_the_run_and_one_trunk_takes_the_weights(tmp_path: Path) -> None:
    run = base(tmp_path)
    ladder = plan(run)
    assert ladder.base == read_base(run.path)
    assert (ladder.spec.sizes, ladder.spec.family, ladder.spec.context) == (("48/2",), "decoder", 32)
    specs = {job.name: TrainSpec.from_json(job.spec_json) for job in ladder.requests()}
    trunk = specs.pop("w48-l2-tuned-trunk")
    assert (trunk.start.kind, trunk.start.folder, trunk.start.tokens) == ("fine-tune", str(run.path), 0)
    assert {s.start.kind for s in specs.values()} == {"branch"}
    assert set(specs) == {f"w48-l2-tuned-{tokens}" for tokens in ("65.5k", "131k", "262k")}
    needs = {job.name: job.needs for job in ladder.requests()}
    assert needs["w48-l2-tuned-trunk"] == ()
    assert needs["w48-l2-tuned-65.5k"] == (("w48-l2-tuned-trunk", f"kept-{3 * 65_536 // 4}"),)
    assert set(ladder.dots["role"]) == {"tuned"}
    assert ladder.dots["params"].tolist() == [N] * 3
    assert ladder.test is None, "no law foretells it"
    assert any("no points of one" in note and "1.05M tokens" in note for note in ladder.notes)
    assert not any("held back" in note for note in ladder.notes)


def test_one_budget_is_one_run(tmp_path: Path) -> None:
    ladder = plan(base(tmp_path), (65_536.0,))
    (job,) = ladder.requests()
    assert (job.name, TrainSpec.from_json(job.spec_json).start.kind) == ("w48-l2-tuned-65.5k", "fine-tune")


def test_a_time_is_filled_at_the_size_of_the_run(tmp_path: Path) -> None:
    run = base(tmp_path)
    spec = LadderSpec("tuned", start=str(run.path), budgets=(1e6,))
    ladder = for_seconds(60.0, spec, SUPPOSED, 2, sizes=5, budgets=3, facts=FACTS)
    assert ladder.spec.sizes == ("48/2",)
    tokens = ladder.dots["tokens"].tolist()
    assert [after / before for before, after in pairwise(tokens)] == [2.0, 2.0]
    assert 30 < ladder.seconds < 60
    with pytest.raises(UserError, match=f"3 budgets at the size of “{SPEC.name}” cost more"):
        for_seconds(1.0, spec, SUPPOSED, 2, budgets=3, facts=FACTS)


def test_what_a_form_asks_for_has_the_optimiser_of_the_run(tmp_path: Path) -> None:
    run = base(tmp_path)
    asked = Asked(way=TOKENS, task="markov", start=str(run.path), tokens=read_tokens("64k, 128k"))
    ladder = plan_asked(asked, SUPPOSED, 2)
    assert ladder.spec.optimiser == SPEC.optimiser
    assert ladder.spec.name == f"markov from {SPEC.name}"
    assert len(ladder.runs) == 2
    assert any("seen again" in note for note in ladder.notes)
    for wrong in ("", "many", "0", "1k,-5"):
        with pytest.raises(UserError):
            read_tokens(wrong)


def test_a_file_says_where_it_starts(tmp_path: Path) -> None:
    run = base(tmp_path)
    spec = parse_ladder(f'name = "t"\nstart = "{run.path}"\nbudgets = [65536]')
    assert (spec.start, spec.sizes) == (str(run.path), ())
    planned = plan_ladder(spec, SUPPOSED, 2, FACTS).spec
    assert parse_ladder(ladder_toml(planned)) == planned
    same = replace(spec, sizes=("48/2",))
    assert plan_ladder(same, SUPPOSED, 2, FACTS).spec.sizes == ("48/2",)


def test_another_size_or_other_data_are_refused_in_words(tmp_path: Path) -> None:
    run = base(tmp_path)
    with pytest.raises(UserError, match=r"of size 48/2, not 64/3") as no:
        plan(run, sizes=("64/3",))
    assert (no.value.where, "Leave “sizes” out" in no.value.fix) == ("sizes", True)
    digits = LadderSpec("t", start=str(run.path), budgets=(65_536.0,), data=DataSpec("digits"))
    with pytest.raises(UserError, match="a decoder, cannot learn from “digits”") as no:
        plan_ladder(digits, SUPPOSED, 2, LABELS)
    assert no.value.where == str(run.path)
    few = replace(FACTS, shape=DataShape("text", 64, 64, (32,)))
    with pytest.raises(UserError, match="made for 256 different symbols; “markov” has 64"):
        plan_ladder(replace(digits, data=DataSpec("markov")), SUPPOSED, 2, few)


def test_a_run_without_an_end_or_weights_is_refused_in_words(tmp_path: Path) -> None:
    run = base(tmp_path)
    run.finish({**run.result, "checkpoint_version": CHECKPOINT_VERSION - 1})  # type: ignore[dict-item]
    with pytest.raises(UserError, match="another version of the networks"):
        read_base(run.path)
    run.last.unlink()
    with pytest.raises(UserError, match="has no weights any more"):
        read_base(run.path)
    (run.path / "result.json").unlink()
    with pytest.raises(UserError, match="has not ended well: it is queued"):
        read_base(run.path)
    run.report(Status("failed"))
    with pytest.raises(UserError, match="it is failed"):
        read_base(run.path)
    (run.path / "spec.json").write_text(json.dumps({"runs": []}))
    with pytest.raises(UserError, match="no training run"):
        read_base(run.path)
    with pytest.raises(UserError, match="no run folder"):
        read_base(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tokens", "1M"], "--tokens says no size"),
        (["--start-from", "{run}"], "A ladder is needed"),
        (["--start-from", "nobody", "--tokens", "1M"], "There is no run “nobody”"),
        (["--start-from", "7", "--tokens", "1M"], "There is no job 7"),
        (["--start-from", "first/w48-l2-1.05M", "--tokens", "65536", "--source", "digits"], "cannot learn"),
    ],
)
def test_the_command_says_what_is_wrong(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALING_HOME", str(tmp_path))
    run = base(tmp_path / "ladders")
    filled = [text.format(run=run.path) for text in arguments]
    assert main(["train", *filled, "--no-measure", "--slots", "1", "--dry-run"]) == 2
    assert said in capsys.readouterr().err
