"""What a person gives where a file says nothing: from names, typed, multiplied, counted from a shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_helpers import error, notes, table

from scaling_core.errors import UserError
from scaling_core.runs import Overrides, Upload, load
from scaling_core.runs.gather import gather
from scaling_core.runs.given import TYPED, Given
from scaling_core.runs.name_pattern import read_names, suggest_pattern
from scaling_core.runs.remembered import fingerprint, recall, remember

SHAPED = "name,loss,batch,step\nd=96_l=8_h=4,4.1,16,100\nd=128_l=8_h=4,3.9,16,200\n"
SHAPE = r"pattern=d=(?P<d_model>\d+)_l=(?P<layers>\d+)_h=(?P<heads>\d+);shape.vocabulary=512"
PYTHIA = "name,loss,tokens\npythia-1.4b-step3000,2.9,6e9\npythia-1.4b-step1000,3.3,2e9\npythia-70m-step3000,3.6,6e9\n"
TEXT = st.text(min_size=1, max_size=12)
COUNTS = st.floats(min_value=1e-3, max_value=1e30).map(lambda x: float(f"{x:.15g}"))


def test_layers_and_width_in_a_name_count_n_with_and_without_embeddings() -> None:
    runs = table(SHAPED, overrides=f"{SHAPE};product.tokens=batch*256*step")
    # 12 d² and two norms a block, one norm at the end; a table and a head of 512 rows each.
    without = [8 * (12 * d * d + 2 * d) + d for d in (96, 128)]
    assert runs.frame["params_non_embedding"].tolist() == without == [886_368, 1_575_040]
    assert runs.frame["params"].tolist() == [n + 2 * 512 * d for n, d in zip(without, (96, 128), strict=True)]
    assert runs.frame["tokens"].tolist() == [16 * 256 * 100, 16 * 256 * 200]
    assert runs.frame["flops"].tolist() == [
        6 * n * d for n, d in zip(runs.frame["params"], runs.frame["tokens"], strict=True)
    ]
    assert runs.sources[0].derived == {
        "params": "shape", "params_non_embedding": "shape", "tokens": "batch × 256 × step", "flops": "6ND"
    }  # fmt: skip
    assert runs.sources[0].columns == ("name", "loss", "batch", "step")
    assert runs.sources[0].params_convention == "total"
    assert "2 of 2 match" in notes(runs)


def test_a_known_family_is_counted_as_it_is_built() -> None:
    text = "run,loss,tokens,l,d,h\nsmall,3.1,1e9,12,768,12\n"
    shape = "shape.layers=l;shape.d_model=d;shape.heads=h;shape.vocabulary=50257;shape.context=1024;shape.family=gpt2"
    assert table(text, overrides=shape).frame["params"].tolist() == [124_439_808]  # GPT-2 small
    assert table(text, overrides=shape.replace("gpt2", "plain")).frame["params"].tolist() == [
        12 * (12 * 768**2 + 2 * 768) + 768 + 2 * 50257 * 768
    ]


def test_without_a_vocabulary_n_is_the_count_without_embeddings() -> None:
    runs = table("run,loss,tokens,l,d\na,3.1,1e9,2,64\n", overrides="shape.layers=l;shape.d_model=d")
    assert runs.frame["params"].tolist() == [2 * (12 * 64 * 64 + 2 * 64) + 64]
    assert runs.sources[0].params_convention == "non-embedding"


def test_checkpoints_named_by_their_step_are_one_run() -> None:
    pattern = suggest_pattern(["pythia-1.4b-step3000", "pythia-70m-step1000"])
    runs = table(PYTHIA, overrides=Overrides(given=Given(pattern)).format())
    assert runs.frame["run"].tolist() == ["pythia-1.4b", "pythia-1.4b", "pythia-70m"]
    assert runs.frame["params"].tolist() == [1.4e9, 1.4e9, 7e7]
    assert runs.frame["step"].tolist() == [3000, 1000, 3000]
    assert runs.frame["is_final"].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("d=96_l=8_h=4", {"d_model": "96", "layers": "8", "heads": "4"}),
        ("pythia-1.4b-step3000", {"run": "pythia-1.4b", "params": "1.4b", "step": "3000"}),
        ("gpt_d128_l6_seed3", {"d_model": "128", "layers": "6", "seed": "3"}),
        ("llama-7B", {"params": "7B"}),
        ("depth12-dim768", {"layers": "12", "d_model": "768"}),
        ("n70M_t1.4B_lr0.1", {"params": "70M", "tokens": "1.4B"}),
    ],
)
def test_an_expression_is_suggested_for_plain_names(name: str, found: dict[str, str]) -> None:
    assert read_names(suggest_pattern([name]), [name]) == [found]


@pytest.mark.parametrize("name", ["run1", "", "baseline", "kind-thunder-7"])
def test_no_expression_is_suggested_where_a_name_tells_nothing(name: str) -> None:
    assert suggest_pattern([name]) == ""


def test_an_expression_that_never_ends_is_stopped(monkeypatch) -> None:
    monkeypatch.setattr("scaling_core.runs.name_pattern.TIME_LIMIT", 0.5)
    with pytest.raises(UserError, match="longer than"):
        read_names(r"(?P<params>(a+)+)$", ["a" * 60 + "b"])


@pytest.mark.parametrize(
    ("pattern", "said"), [("(", "no regular expression"), (r"\d+", "names nothing"), ("(?P<a>x)" + "x" * 300, "longer")]
)
def test_what_is_no_expression_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Overrides.parse(Overrides(columns={}).format() + f"pattern={pattern}")


def test_an_expression_that_no_name_matches_is_said() -> None:
    assert "No name of a run matches" in error(PYTHIA, overrides=r"pattern=width(?P<d_model>\d+)").what


def test_typed_values_stand_over_names_and_names_over_columns() -> None:
    text = "run,params (M),loss,tokens\na-20M,10,3.0,1e9\nb-30M,10,2.9,1e9\nc,10,2.8,1e9\n"
    runs = table(text, overrides=r"pattern=(?P<params>\d+M);typed.params=b-30M:31e6,z:5")
    assert runs.frame["params"].tolist() == [20e6, 31e6, 10e6]
    assert "There is no run “z”" in notes(runs, "warning")
    assert runs.sources[0].mapping["params"] == "params (M)"


def test_runs_without_names_keep_theirs_when_one_is_typed() -> None:
    runs = table("loss,tokens\n3.0,1e9\n2.9,2e9\n", overrides="typed.params=run 2:5e6,run 1:4e6")
    assert runs.frame["params"].tolist() == [4e6, 5e6]
    assert runs.frame["run"].tolist() == ["run 1", "run 2"]


def test_a_factor_that_the_file_has_not_is_named() -> None:
    assert "“bach”" in error(SHAPED, overrides=f"{SHAPE};product.tokens=bach*step").what


def test_the_same_file_gives_the_same_digest_by_link_and_by_file(tmp_path: Path) -> None:
    said = Overrides.parse(f"{SHAPE};product.tokens=batch*256*step;typed.flops=d=96_l=8_h=4:1e15")
    path = tmp_path / "a.mapping.json"
    path.write_text(json.dumps(said.to_json()))
    assert Overrides.from_file(path) == said
    upload = Upload("a.csv", SHAPED.encode())
    by_file, by_link = (load([upload], o).digest for o in (Overrides.from_file(path), Overrides.parse(said.format())))
    assert by_file == by_link
    assert by_file != load([upload], Overrides.parse(f"{SHAPE};product.tokens=batch*256*step")).digest


@given(
    typed=st.dictionaries(st.sampled_from(TYPED), st.dictionaries(TEXT, COUNTS, min_size=1, max_size=3), max_size=3),
    factors=st.lists(TEXT.filter(str.strip), min_size=1, max_size=3),
    column=TEXT,
)
def test_what_is_given_comes_back_from_its_text_and_its_file(typed, factors, column) -> None:
    said = Overrides(given=Given(r"a;(?P<x>%=.)", {"layers": column}, {"tokens": tuple(factors)}, typed))
    assert Overrides.parse(said.format()).given == said.given
    assert Overrides.from_json(json.loads(json.dumps(said.to_json()))).given == said.given


@pytest.mark.parametrize(
    "data",
    [
        None, [], {}, {"kind": "scaling-explorer mapping", "version": 2},
        {"kind": "scaling-explorer mapping", "version": 1, "columns": ["loss"]},
        {"kind": "scaling-explorer mapping", "version": 1, "columns": {"lss": "loss"}},
        {"kind": "scaling-explorer mapping", "version": 1, "typed": {"params": {"a": "many"}}},
        {"kind": "scaling-explorer mapping", "version": 1, "typed": {"params": {"a": -1}}},
        {"kind": "scaling-explorer mapping", "version": 1, "name_pattern": 3},
    ],
)  # fmt: skip
def test_what_is_no_file_of_corrections_is_refused(data: object) -> None:
    with pytest.raises(UserError) as caught:
        Overrides.from_json(data)
    assert caught.value.fix


def test_corrections_are_remembered_for_files_of_the_same_columns_without_what_was_typed(tmp_path: Path) -> None:
    def source(text: str) -> str:
        return fingerprint([g.raw for g in gather([Upload("a.csv", text.encode())])[0]])

    said = Overrides.parse(f"{SHAPE};typed.flops=a:1e15")
    remember(tmp_path, source(SHAPED), said)
    other_rows = "step,batch,loss,name\n7,8,2.0,d=4_l=1_h=1\n"
    assert recall(tmp_path, source(other_rows)) == Overrides.parse(SHAPE)
    assert recall(tmp_path, source("name,loss\na,3\n")) is None
    remember(tmp_path, source(SHAPED), Overrides())
    assert recall(tmp_path, source(SHAPED)) is None
