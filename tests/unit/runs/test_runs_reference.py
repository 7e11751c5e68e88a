"""Published runs as people hand them round: all rows are used, and the right columns are guessed."""

from pathlib import Path

import pytest

from scaling_core.runs import RunTable, Upload, load


def runs(reference: Path, name: str) -> RunTable:
    return load([Upload.from_path(reference / name)])


@pytest.mark.parametrize(
    ("name", "rows", "loss", "split"),
    [
        ("runs/chinchilla_245.csv", 245, "loss", "unknown"),
        ("runs/data_constrained_c4_182.csv", 182, "val_loss", "validation"),
        ("runs/inference_aware_47.csv", 47, "loss", "unknown"),
        ("runs/olmo_ladder_25.csv", 25, "loss_c4", "unknown"),
        ("runs/over_training_104.csv", 104, "loss_c4_val", "validation"),
        ("published_cerebras_gpt.csv", 7, "pile_test_loss_paper", "test"),
        ("published_pythia.csv", 8, "wandb_val_lm_loss", "validation"),
    ],
)
def test_files_of_runs_load_whole(reference: Path, name: str, rows: int, loss: str, split: str) -> None:
    table = runs(reference, name)
    assert len(table.frame) == rows
    assert not len(table.rejected)
    assert table.sources[0].mapping["loss"] == loss
    assert table.sources[0].loss_split == split
    assert table.frame[["params", "tokens", "flops", "loss"]].notna().all(axis=None)
    assert table.frame["is_final"].all()


def test_the_columns_of_pythia(reference: Path) -> None:
    source = runs(reference, "published_pythia.csv").sources[0]
    assert source.mapping["params"] == "params_total"
    assert source.mapping["params_non_embedding"] == "params_nonembed"
    assert source.mapping["flops"] == "flops_as_counted_by_cerebras"
    assert source.params_convention == "total"


def test_unique_tokens_and_ratios_are_found(reference: Path) -> None:
    assert runs(reference, "runs/data_constrained_c4_182.csv").sources[0].mapping["unique_tokens"] == "unique_tokens"
    assert runs(reference, "runs/over_training_104.csv").sources[0].mapping["params"] == "params"


def test_every_other_published_table_loads_or_says_what_is_missing(reference: Path) -> None:
    for path in sorted(reference.glob("published_*.csv")):
        assert len(runs(reference, path.name).frame)
