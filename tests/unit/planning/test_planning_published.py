"""Published constants and what they say, against values computed by others."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from scaling_core.errors import UserError
from scaling_core.laws import get_law
from scaling_core.planning import PUBLISHED, Scenario, basis_of_published, get_published, plan

FORM = "chinchilla_closed_form:"


def assert_printed(got: float, printed: str) -> None:
    """Equal to the digits that are printed: half a unit of the last, and a little for how it was rounded."""
    digits = len(printed.lower().split("e")[0].replace(".", "").replace("-", ""))
    expected = float(printed)
    unit = 10.0 ** (np.floor(np.log10(expected)) - digits + 1)
    assert abs(got - expected) <= 0.51 * max(unit, 1e-6 * expected), (got, printed)


def check(name: str, flops: float, outputs: tuple[str, ...]) -> None:
    answer = plan(basis_of_published(get_published(name)), Scenario(flops))
    for got, printed in zip((answer.params, answer.tokens, answer.tokens_per_param, answer.loss), outputs, strict=True):
        assert_printed(got, printed)


def test_every_reference_value_of_the_closed_form(reference: Path) -> None:
    """N_opt, D_opt, D/N and L for each of our published laws at four budgets."""
    with (reference / "check_values.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["law"].startswith(FORM)]
    assert len(rows) == 20
    assert {row["law"].removeprefix(FORM) for row in rows} == {n for n, p in PUBLISHED.items() if p.law == "chinchilla"}
    for row in rows:
        outputs = tuple(row["computed"].split(";"))
        check(row["law"].removeprefix(FORM), float(row["inputs"].removeprefix("C=")), outputs)


@pytest.mark.parametrize(
    ("flops", "outputs"),
    # Constants of Besiroglu et al. 2024, arXiv 2404.10102, in the closed form of Hoffmann et al. 2022, eq. 4,
    # computed independently (the same as the reference folder's check_values.csv)
    [
        (1e19, ("2.62168e+08", "6.35724e+09", "24.2487", "2.927103")),
        (1e21, ("2.77846e+09", "5.99853e+10", "21.5894", "2.305529")),
        (5.76e23, ("7.22487e+10", "1.32874e+12", "18.3912", "1.974441")),
        (1e25, ("3.1207e+11", "5.34068e+12", "17.1137", "1.911729")),
    ],
)
def test_besiroglu(flops: float, outputs: tuple[str, ...]) -> None:
    check("besiroglu", flops, outputs)


def test_unrounded_constants_give_the_size_that_hoffmann_names_and_printed_ones_do_not() -> None:
    """40B parameters at 5.76e23 FLOPs: Hoffmann et al. 2022, caption of figure 4."""
    at = Scenario(5.76e23)
    assert plan(basis_of_published(get_published("hoffmann_tex")), at).params == pytest.approx(40e9, rel=0.02)
    assert plan(basis_of_published(get_published("hoffmann_printed")), at).params == pytest.approx(32e9, rel=0.02)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_laws_are_named_sourced_and_within_their_laws_bounds(name: str) -> None:
    published = get_published(name)
    assert published.name == name
    assert published.title
    assert any(source in published.source for source in ("arXiv", "De Vries"))
    if published.split:
        assert (published.law, published.theta) == ("", ())
        assert 0 < published.split[1] < 1
        return
    law = get_law(published.law)
    assert len(published.theta) == len(law.parameters)
    assert all(p.lower <= value <= p.upper for p, value in zip(law.parameters, published.theta, strict=True))
    assert all(0 < low < high for _, (low, high) in published.ranges)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_laws_plan_without_intervals_and_say_so(name: str) -> None:
    published = get_published(name)
    answer = plan(basis_of_published(published), Scenario(1e22))
    assert answer.intervals == {}
    assert any("no intervals" in note for note in answer.notes)
    assert set(published.caveats) <= set(answer.notes)
    assert set(answer.extrapolation) == {column for column, _ in published.ranges}


@pytest.mark.parametrize(
    ("said", "name"),
    [("besiroglu", "besiroglu"), ("besi", "besiroglu"), ("hoffmann_t", "hoffmann_tex_unrounded"),
     (" Hoffmann-Printed ", "hoffmann_printed"), ("m", "muennighoff_c4")],
)  # fmt: skip
def test_a_beginning_is_enough(said: str, name: str) -> None:
    assert get_published(said).name == name


def test_an_ambiguous_beginning_lists_what_it_could_be() -> None:
    with pytest.raises(UserError) as caught:
        get_published("hoffmann")
    assert "hoffmann_printed" in caught.value.what
    assert "hoffmann_tex_unrounded" in caught.value.what
    assert "besiroglu" not in caught.value.what


@pytest.mark.parametrize("name", ["", "  ", "kaplam", "besiroglu2"])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(UserError) as caught:
        get_published(name)
    assert all(known in caught.value.fix for known in PUBLISHED)


def test_published_splits_give_their_published_sizes() -> None:
    """DeepSeek LLM (arXiv 2401.02954) and Llama 3 (arXiv 2407.21783): N or D at a budget, and no loss."""
    deepseek = plan(basis_of_published(get_published("deepseek")), Scenario(1e22))
    assert_printed(deepseek.params * 6, "5.8731e10")  # FLOPs per token
    llama = plan(basis_of_published(get_published("llama3")), Scenario(3.8e25))
    assert_printed(llama.tokens, "1.6294e13")
    assert_printed(llama.params, "3.887e11")
    assert np.isnan(llama.loss)
    assert llama.to_json()["loss"] is None
    assert any("loss it reaches cannot be told" in note for note in llama.notes)


def test_kaplan_gives_large_models_little_data() -> None:
    answer = plan(basis_of_published(get_published("kaplan")), Scenario(5.76e23))
    besiroglu = plan(basis_of_published(get_published("besiroglu")), Scenario(5.76e23))
    assert answer.tokens_per_param < besiroglu.tokens_per_param / 2
