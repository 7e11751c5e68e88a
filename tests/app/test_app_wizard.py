"""The Runs page says what is missing for a law, takes it in every way, remembers it, and flags rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from app_helpers import calm, rows, url, words
from streamlit.testing.v1 import AppTest

from pages.parts.mapping_given import typed_values
from scaling_core.cli import main
from scaling_core.errors import UserError
from scaling_core.runs import Overrides, Upload, UploadStore, load

SHAPES = ((64, 4), (96, 6), (128, 8), (192, 8), (256, 10))
STEPS = (1000, 2000, 4000)


def sweep(header: str = "name,val_loss,batch,seq_len,step", astray: bool = False) -> str:
    """Runs whose names say width and layers, and whose tokens are 16 × 256 × step."""
    noise = iter(np.random.default_rng(0).standard_normal(2 * len(SHAPES) * len(STEPS)))
    lines = [header]
    for d, layers in SHAPES:
        for step in STEPS:
            loss = 1.8 + 480 / (12 * layers * d * d) ** 0.35 + 2085 / (step * 4096) ** 0.366
            lines += [
                f"d={d}_l={layers}_t{step}_seed{s},{loss * (1 + 0.002 * next(noise)):.4f},16,256,{step}" for s in (1, 2)
            ]
    return "\n".join([*lines, *(["d=256_l=10_t4000_seed9,9.9,16,256,4000"] if astray else [])])


@pytest.fixture
def opened(open_page, workspace):
    """Open the sweep, with more said in the link."""

    def go(text: str | None = None, **link: str) -> AppTest:
        upload = Upload("sweep.csv", (text or sweep()).encode())
        UploadStore(workspace).put(upload)
        return open_page("runs", runs=upload.sha256, **link)

    return go


def way(at: AppTest, name: str) -> AppTest:
    at.session_state["mapping_way"] = name
    return at.run()


def labelled(elements, label: str):
    return next(e for e in elements if e.label == label)


GIVEN = r"pattern=d=(?P<d_model>\d+)_l=(?P<layers>\d+)"


def test_what_is_missing_is_said_and_names_then_tokens_bring_a_law(opened) -> None:
    at = opened()
    assert r"Found: run from “name”, step from “step”, loss from “val_loss”" in words(at.markdown)
    assert "Missing: **N**, **D** and **C**" in words(at.markdown)

    way(at, "Names of runs")
    pattern = labelled(at.text_input, "Expression on the names of runs")
    assert "(?P<d_model>" in pattern.value
    assert "(?P<layers>" in pattern.value
    preview = at.dataframe[0].value
    assert preview["params_non_embedding"].iloc[0] == 4 * (12 * 64 * 64 + 2 * 64) + 64
    at.button(key="apply_names").click().run()
    assert "counted from layers and width" in words(at.markdown)
    assert "Missing: **D**" in words(at.markdown)
    assert not at.exception

    way(at, "Batch × sequence × step")
    assert labelled(at.selectbox, "Tokens of a sequence").value == "seq_len"
    labelled(at.selectbox, "Tokens of a sequence").set_value("(none)").run()
    assert "is the batch in tokens already" in words(at.warning)
    labelled(at.selectbox, "Tokens of a sequence").set_value("seq_len").run()
    at.button(key="apply_product").click().run()
    calm(at)
    said = Overrides.parse(url(at)["map"])
    assert said.given.products == {"tokens": ("batch", "seq_len", "step")}
    assert "fit: " in words(at.markdown)
    drawn = rows(at, "run")
    assert len(drawn) == 2 * len(SHAPES) * len(STEPS)


def test_an_expression_is_refused_in_words_and_the_page_goes_on(opened) -> None:
    at = opened()
    way(at, "Names of runs")
    labelled(at.text_input, "Expression on the names of runs").set_value("d=(").run()
    assert not at.exception
    assert "no regular expression" in words(at.error)
    labelled(at.text_input, "Expression on the names of runs").set_value(r"width(?P<d_model>\d+)").run()
    assert "No name of a run matches" in words(at.error)
    assert "map" not in url(at)


def test_a_shape_from_columns_and_numbers_counts_n(opened) -> None:
    text = "name,loss,tokens,n_layer,n_embd,v\na,3.1,1e9,2,64,1000\nb,2.9,2e9,4,128,1000\nc,2.8,4e9,4,256,1000\n"
    at = way(opened(text), "Layers and width")
    assert labelled(at.selectbox, "Layers").value == "n_layer"
    labelled(at.selectbox, "Vocabulary").set_value("v").run()
    at.button(key="apply_shape").click().run()
    calm(at)
    counted = [layers * (12 * d * d + 2 * d) + d + 2 * 1000 * d for layers, d in ((2, 64), (4, 128), (4, 256))]
    link = url(at)["map"]
    assert load([Upload("a.csv", text.encode())], Overrides.parse(link)).frame["params"].tolist() == counted


def test_what_was_said_is_offered_for_other_files_of_the_same_columns_and_undone(opened) -> None:
    at = way(opened(), "Names of runs")
    at.button(key="apply_names").click().run()
    said = url(at)["map"]

    other = opened(sweep().replace("seed1", "seed5"))
    assert "map" not in url(other)
    other.button(key="use_remembered").click().run()
    assert url(other)["map"] == said
    assert "remembered from last time" in words(other.markdown)
    other.button(key="undo_remembered").click().run()
    assert "map" not in url(other)
    third = opened("name,loss,tokens\na,3,1e9\n")
    assert not [b for b in third.button if b.key == "use_remembered"]


def test_the_file_of_a_mapping_gives_the_command_line_the_same_runs(opened, tmp_path, capsys) -> None:
    link = f"{GIVEN};product.tokens=batch*256*step"
    calm(opened(map=link))
    (tmp_path / "m.json").write_text(json.dumps(Overrides.parse(link).to_json()))
    (tmp_path / "sweep.csv").write_text(sweep())
    assert main(["inspect", "--json", "--mapping", str(tmp_path / "m.json"), str(tmp_path / "sweep.csv")]) in (0, None)
    report = json.loads(capsys.readouterr().out)
    assert report["digest"] == load([Upload("sweep.csv", sweep().encode())], Overrides.parse(link)).digest
    assert report["runs"] == 30


def test_a_mapping_file_is_used_with_its_runs_or_after_them_and_refused_where_it_does_not_fit(open_page) -> None:
    link = f"{GIVEN};product.tokens=batch*256*step"
    runs = ("sweep.csv", sweep().encode(), "text/csv")
    mapping = ("runs.mapping.json", json.dumps(Overrides.parse(link).to_json()).encode(), "application/json")
    other = ("other.mapping.json", json.dumps(Overrides(columns={"loss": "nowhere"}).to_json()).encode(), "")
    damaged = ("bad.json", mapping[1].replace(b'"version": 1', b'"version": 9'), "application/json")

    def drop(at: AppTest, *files) -> AppTest:
        return at.file_uploader(key="uploader").set_value(list(files)).run()

    together = calm(drop(open_page(), runs, mapping))
    assert url(together)["map"] == Overrides.parse(link).format()
    assert len(rows(together, "run")) == 2 * len(SHAPES) * len(STEPS)

    after = drop(open_page(), runs)
    assert "map" not in url(after)
    calm(drop(after, runs, mapping))
    assert url(after)["map"] == url(together)["map"]

    refused = drop(open_page(), runs, other)
    assert "map" not in url(refused)
    assert "These corrections do not fit the runs. There is no column “nowhere”" in words(refused.error)
    assert "other.mapping.json for sweep.csv" in words(refused.error)
    assert "Missing: **N**" in words(refused.markdown)

    onto = drop(open_page("runs", runs="cerebras_gpt"), other)  # alone, it is tried on what is open
    assert "do not fit the runs" in words(onto.error)
    assert url(onto) == {"runs": "cerebras_gpt"}
    assert "no file of column corrections" in words(drop(open_page(), damaged).error)


def test_a_run_that_went_astray_is_flagged_and_left_out_only_where_asked(opened) -> None:
    link = f"{GIVEN};product.tokens=batch*256*step"
    at = calm(opened(sweep(astray=True), map=link))
    assert "clean" not in url(at)
    assert set(rows(at, "run")["__role"]) == {"fitted"}
    table = next(d.value for d in at.dataframe if "reason" in d.value)
    assert table["run"].tolist() == ["d=256_l=10_t4000_seed9"] * 2
    assert table["check"].tolist() == ["Diverged", "Off its seeds"]
    assert "no more parameters and tokens" in table["reason"].iloc[0]

    next(p for p in at.button_group if p.key == "clean").set_value(["diverged"]).run()
    calm(at)
    assert url(at)["clean"] == "diverged"
    drawn = rows(at, "run")
    assert drawn[drawn["__role"] == "excluded"]["run"].tolist() == ["d=256_l=10_t4000_seed9"]


def test_a_link_restores_rows_of_a_run_warm_up_and_checks(opened) -> None:
    at = opened(
        map=f"{GIVEN};product.tokens=batch*256*step", points="last:3", warm="20", clean="diverged,spike", seeds="1"
    )
    calm(at)
    assert {k: url(at)[k] for k in ("points", "warm", "clean", "seeds")} == {
        "points": "last:3", "warm": "20", "clean": "diverged,spike", "seeds": "1"
    }  # fmt: skip
    spread = rows(at, "loss_low")
    assert len(spread) == len(SHAPES) * len(STEPS)
    assert set(spread["runs"]) == {2}


def test_only_changed_cells_are_typed_and_an_emptied_one_is_not() -> None:
    import pandas as pd

    before = pd.DataFrame({"run": ["a", "b"], "params": ["1e+06", ""], "tokens": ["", "2e+09"], "flops": ["", ""]})
    after = before.assign(params=["1e+06", "70M"], tokens=["", None])
    assert typed_values(before, after, {"tokens": {"b": 2e9}}) == {"params": {"b": 70e6}}
    with pytest.raises(UserError, match="no number above zero"):
        typed_values(before, before.assign(flops=["lots", ""]), {})
