"""Plan, closer: budgets in any unit, a loss to reach, machine, data and demand; every section; scenarios kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
from app_helpers import calm, rows, url, words
from ladder_file import ladder_csv
from streamlit.testing.v1 import AppTest

from pages.parts.state import PLAN_SECTIONS
from scaling_core.fitting import fit, get_objective
from scaling_core.fitting.judged import JudgedFit
from scaling_core.laws import get_law
from scaling_core.planning import (
    Demand,
    Scenario,
    Terms,
    basis_of_fit,
    basis_of_published,
    get_hardware,
    get_published,
    plan,
)
from scaling_core.planning.downstream import loss_for
from scaling_core.planning.figures import hours as written_hours
from scaling_core.planning.hardware import Hardware
from scaling_core.records import Records
from scaling_core.runs import Upload, UploadStore, load
from scaling_core.units import format_count

BESIROGLU = basis_of_published(get_published("besiroglu"))
H100 = Terms(get_hardware("H100 SXM 80GB"), mfu=0.4, n_gpus=256)


@pytest.fixture
def grid(workspace) -> str:
    return UploadStore(workspace).put(Upload("grid.csv", ladder_csv().encode()))


def answer(at: AppTest) -> str:
    """The sentence on top of the page."""
    return next(m.value for m in at.markdown if m.value.startswith("### ")).replace("\\", "")


@pytest.mark.parametrize(
    ("typed", "flops"),
    [("$60k", 60e3 / 2.5 * 3600 * 989.4e12 * 0.4), ("24000 GPU-hours", 24000 * 3600 * 989.4e12 * 0.4),
     ("3 weeks", 21 * 24 * 256 * 3600 * 989.4e12 * 0.4), ("1e24", 1e24), ("3640 PF-days", 3640 * 8.64e19)],
)  # fmt: skip
def test_a_budget_in_any_unit_is_planned_with(open_page, typed: str, flops: float) -> None:
    at = calm(open_page("plan", basis="besiroglu", budget=typed))
    said = plan(BESIROGLU, Scenario(flops, terms=H100))
    row = rows(at, "step").set_index("step").loc[0]
    assert row["flops"] == pytest.approx(flops, rel=1e-9)
    assert row["cost_usd"] == pytest.approx(said.cost_usd, rel=1e-9)
    assert format_count(said.params) in answer(at)
    assert format_count(said.tokens) in answer(at)


def test_a_loss_to_reach_takes_the_place_of_the_budget(open_page) -> None:
    at = calm(open_page("plan", basis="besiroglu", goal="2.1"))
    said = plan(BESIROGLU, Scenario(loss=2.1))
    assert "A loss of" in answer(at)
    assert format_count(said.params) in answer(at)
    at.text_input(key="goal").set_value("1.5").run()
    assert not at.exception
    assert "no model comes below 1.817" in words(at.error)


def test_machine_data_and_demand_move_the_plan(open_page) -> None:
    at = calm(open_page("plan", basis="devries_sardana", budget="1e23", unique="100B", demand="2T", mfu="50"))
    terms = Terms(get_hardware("H100 SXM 80GB"), mfu=0.5, n_gpus=256)
    asked = Scenario(1e23, unique_tokens=1e11, demand=Demand(2e12), terms=terms)
    said = plan(basis_of_published(get_published("devries_sardana")), asked)
    assert format_count(said.params) in answer(at)
    assert "passes over the data" in answer(at)
    assert "Saved over its life" in [m.label for m in at.metric]
    before = {m.label: m.value for m in at.metric}
    at.selectbox(key="hardware").set_value("B200 SXM").run()
    calm(at)
    after = {m.label: m.value for m in at.metric}
    assert before["Accelerator-hours"] != after["Accelerator-hours"]
    assert url(at)["hardware"] == "B200 SXM"


@pytest.mark.parametrize(
    ("key", "typed"),
    [("unique", "lots"), ("demand", "-1"), ("size", "big"), ("price", "cheap"), ("budget", "5 apples")],
)
def test_what_cannot_be_read_is_said_where_it_stands_and_no_other_plan_stands_in(
    open_page, key: str, typed: str
) -> None:
    at = open_page("plan", basis="besiroglu")
    at.text_input(key=key).set_value(typed).run()
    assert not at.exception
    assert len(at.error) == 1
    assert not at.get("vega_lite_chart")
    assert "no plan until" in words(at.info)
    assert not [m for m in at.markdown if m.value.startswith("### ")]
    at.text_input(key=key).set_value("").run()
    assert calm(at).get("vega_lite_chart")


@pytest.mark.parametrize(
    ("key", "typed", "said"),
    [
        ("budget", "5", "Did you mean 5e21"), ("budget", "1e40", "largest training runs"),
        ("unique", "300", "Did you mean 300B"), ("demand", "1e25", "more than all text"),
        ("size", "1e15", "less than one token"),
    ],
)  # fmt: skip
def test_what_is_out_of_proportion_is_answered_and_asked_about(open_page, key: str, typed: str, said: str) -> None:
    asked = {"budget": "1e15"} if key == "size" else {}
    at = calm(open_page("plan", basis="besiroglu", **{**asked, key: typed}))
    assert said in words(at.warning)
    assert at.get("vega_lite_chart")


@pytest.mark.parametrize("typed", ["0", "-5", "nan", "inf", "1e999"])
@pytest.mark.parametrize("key", ["budget", "goal", "size", "unique", "demand", "price", "peak"])
def test_no_number_breaks_a_field(open_page, key: str, typed: str) -> None:
    at = open_page("plan", basis="besiroglu")
    at.text_input(key=key).set_value(typed).run()
    assert not at.exception
    assert "not your doing" not in words(at.error)
    assert len(at.error) <= 1


def test_a_size_alone_is_no_goal_and_a_goal_puts_the_budget_aside(open_page) -> None:
    at = open_page("plan", basis="besiroglu", budget="1e22", goal="70B")
    assert "is a size" in words(at.error)
    at.text_input(key="goal").set_value("2.1 nats").run()
    calm(at)
    assert at.text_input(key="budget").disabled
    assert "budget is not used" in words(at.caption)
    at.text_input(key="goal").set_value("").run()
    assert not at.text_input(key="budget").disabled
    assert at.text_input(key="budget").value == "1e22"


def test_an_accelerator_of_ones_own_is_kept_used_changed_and_forgotten(open_page, workspace) -> None:
    at = calm(open_page("plan", basis="besiroglu", budget="1e22"))
    usual = "H100 SXM 80GB"
    calm(at.button(key="own_hardware").click().run())
    at.text_input(key=f"own_name_{usual}").set_value("our cluster")
    at.text_input(key=f"own_bf16_{usual}").set_value("1.2 PFLOP/s")
    at.text_input(key=f"own_price_{usual}").set_value("$1.50/h")
    at.text_input(key=f"own_gpus_per_node_{usual}").set_value("4")
    at.button(key=f"FormSubmitter:own_hardware_{usual}-Keep and use").click().run()
    calm(at)
    assert url(at)["hardware"] == "own:our cluster"
    kept = Hardware.from_json(Records(workspace).get("hardware", "our cluster").data)
    assert (kept.peak("bf16"), kept.price.typical, kept.gpus_per_node, kept.memory_gb) == (1.2e15, 1.5, 4, 80)
    hours = 1e22 / (1.2e15 * 3600 * 0.4)
    assert f"{written_hours(hours)} hours of our cluster" in answer(at)
    calm(at.button(key="own_hardware").click().run())
    at.button(key="forget_hardware").click().run()
    calm(at)
    assert "hardware" not in url(at)
    gone = open_page("plan", basis="besiroglu", hardware="own:our cluster")
    assert not gone.exception
    assert "Nothing is saved here" in words(gone.error)


def test_this_machine_can_be_planned_with(open_page) -> None:
    at = calm(open_page("plan", basis="besiroglu", budget="1e18", hardware="this machine"))
    assert "this machine" in answer(at)


def test_a_name_that_is_taken_is_asked_about(open_page, grid: str, workspace) -> None:
    at = calm(open_page("plan", runs=grid, closer="keep", budget="1e22"))

    def keep() -> None:
        at.text_input(key="scenario_name").set_value("q")
        at.button(key="FormSubmitter:save_scenario-Keep").click().run()

    def kept() -> dict[str, float]:
        return {r.name: r.data["scenario"]["flops"] for r in Records(workspace).all("scenario")}

    keep()
    at.text_input(key="budget").set_value("1e23").run()
    keep()
    assert kept() == {"q": 1e22}
    assert "is kept already" in words(at.warning)
    at.button(key="both_scenario").click().run()
    assert kept() == {"q": 1e22, "q (2)": 1e23}
    keep()
    at.button(key="replace_scenario").click().run()
    assert kept() == {"q": 1e23, "q (2)": 1e23}
    assert "is kept already" not in words(at.warning)


@pytest.mark.parametrize("section", PLAN_SECTIONS)
def test_every_section_says_something(open_page, grid: str, section: str) -> None:
    at = calm(open_page("plan", runs=grid, closer=section, unique="1T", demand="1T"))
    assert at.get("vega_lite_chart")


@pytest.mark.parametrize("section", PLAN_SECTIONS)
def test_no_section_breaks_where_the_law_has_no_split(open_page, section: str) -> None:
    at = open_page("plan", closer=section)
    assert not at.exception
    assert "not your doing" not in words(at.error)


def test_an_accuracy_is_reached_where_a_mapping_is_kept(open_page, workspace) -> None:
    runs = load([Upload("grid.csv", ladder_csv().encode())])
    runs.frame["accuracy"] = 1 - (0.85 - 2.08 * np.exp(-0.756 * runs.frame["loss"]))
    mapping = fit(get_law("metric-exponential"), runs.measured_by("accuracy"), get_objective("mse-log"), resamples=20)
    at = open_page("plan", basis="besiroglu", goal="accuracy 55%")
    assert "keep that fit" in words(at.error)
    Records(workspace).save("fit", "to accuracy", mapping.to_json())
    at = calm(open_page("plan", basis="besiroglu", goal="accuracy 55%"))
    assert f"A loss of :primary[{loss_for(mapping, 0.45):.3f}] takes" in answer(at)
    assert "accuracy at this loss: 0.550 (" in words(at.markdown).replace("**", "")


def test_scenarios_say_what_they_save_and_how_sure_that_is(open_page, grid: str) -> None:
    at = calm(open_page("plan", runs=grid, closer="keep", budget="1e22", demand="1T"))
    shown = at.dataframe[0].value["This one"]
    assert "%" in shown["saved over its life"]
    assert all("–" in shown[name] for name in ("parameters", "tokens", "loss"))
    assert shown["accelerator"] == "256 × H100 SXM 80GB, 40% MFU"


def test_a_budget_far_beyond_the_runs_is_no_plan_and_another_law_is_one_click_away(open_page) -> None:
    at = calm(open_page("plan", budget="$2M"))  # of a ladder of ten minutes
    assert "This is no plan" in words(at.warning)
    at.button(key="plan_published").click().run()
    calm(at)
    assert url(at)["basis"] == "besiroglu"
    assert "This is no plan" not in words(at.warning)
    flops = 2e6 / 2.5 * 3600 * 989.4e12 * 0.4
    assert format_count(plan(BESIROGLU, Scenario(flops)).params) in answer(at)


def test_a_goal_that_nobody_could_pay_for_is_answered_and_asked_about(open_page) -> None:
    at = calm(open_page("plan", basis="besiroglu", goal="1.82"))
    assert "largest training runs" in words(at.warning)
    at.text_input(key="goal").set_value("1.8173").run()
    assert "takes more than 1e40 FLOPs" in words(at.error)


def test_the_machine_moves_what_it_costs_and_not_what_is_trained(open_page, grid: str) -> None:
    at = calm(open_page("plan", runs=grid, budget="1e22", unique="100B", demand="1T"))
    before = rows(at, "step").set_index("step").loc[0]
    at.slider(key="mfu").set_value(20).run()
    after = rows(calm(at), "step").set_index("step").loc[0]
    for name in ("params", "tokens", "loss", "loss_low", "loss_high"):
        assert after[name] == before[name]
    for name in ("cost_usd", "cost_usd_low", "gpu_hours", "days"):
        assert after[name] == pytest.approx(2 * before[name], rel=1e-12)
    at.text_input(key="decode").set_value("2").run()  # now serving is dearer, and a smaller model pays
    assert rows(calm(at), "step").set_index("step").loc[0, "params"] < before["params"]


def test_a_rule_that_says_nothing_is_no_row(open_page) -> None:
    """Kaplan et al.'s rule of the learning rate falls below zero from some 12B parameters on."""
    at = calm(open_page("plan", basis="besiroglu", budget="1e24", closer="sizes"))
    (table,) = at.table
    assert "Kaplan et al." not in table.value.index
    assert (table.value["learning rate"].str.len() > 0).all()
    assert "Kaplan et al. say nothing here" in words(at.caption)


def test_a_kept_fit_can_be_planned_with(open_page, grid: str, workspace) -> None:
    runs = load([Upload("grid.csv", ladder_csv().encode())])
    result = fit(get_law("chinchilla-tied"), runs, get_objective("huber-log"), resamples=50)
    Records(workspace).save("fit", "tied one", result.to_json())
    at = calm(open_page("plan", runs=grid, basis="kept:tied one", budget="1e23"))
    said = plan(basis_of_fit(result), Scenario(1e23))
    assert format_count(said.params) in answer(at)
    assert "tied one" in words(at.markdown)
    gone = open_page("plan", runs=grid, basis="kept:another")
    assert "Nothing is saved here" in words(gone.error)


def test_a_kept_fit_keeps_its_badge_and_what_was_found_of_it(open_page, grid: str, workspace) -> None:
    at = calm(open_page("law", runs=grid, law="power-n", section="keep"))
    assert "fit: doubtful" in words(at.markdown)
    at.text_input(key="fit_name").set_value("bent")
    at.button(key="FormSubmitter:save_fit-Keep").click().run()
    kept = JudgedFit.from_json(Records(workspace).get("fit", "bent").data)
    assert kept.verdict.grade == "doubtful"
    later = calm(open_page("plan", runs="cerebras_gpt", basis="kept:bent", budget="1e23"))
    said = words(later.markdown)
    assert "fit: doubtful" in said
    assert "This plan stands on a doubtful fit" in said
    for finding in kept.findings or ():
        assert finding.text in said


def test_a_fit_kept_without_findings_says_that_nothing_is_known_of_it(open_page, grid: str, workspace) -> None:
    result = fit(get_law("chinchilla"), load([Upload("grid.csv", ladder_csv().encode())]),
                 get_objective("huber-log"), resamples=0)  # fmt: skip
    Records(workspace).save("fit", "old", result.to_json())
    at = calm(open_page("plan", runs=grid, basis="kept:old", budget="1e23"))
    assert "was not kept with it" in words(at.caption)
    assert "fit: good" not in words(at.markdown)


def test_scenarios_are_kept_compared_and_forgotten(open_page, grid: str, workspace) -> None:
    at = calm(open_page("plan", runs=grid, closer="keep", budget="1e22"))
    at.text_input(key="scenario_name").set_value("small")
    at.button(key="FormSubmitter:save_scenario-Keep").click().run()
    calm(at)
    at.text_input(key="budget").set_value("1e24").run()
    calm(at)
    table = at.dataframe[0].value
    assert list(table.columns) == ["This one", "small"]
    assert table.loc["training FLOPs"].tolist() == ["1e24", "1e22"]
    kept = Records(workspace).get("scenario", "small").data["scenario"]
    assert Scenario.from_json(json.loads(json.dumps(kept))).flops == 1e22
    at.selectbox(key="forget_scenario").set_value("small").run()
    at.button(key="forget_scenario_button").click().run()
    calm(at)
    assert list(at.dataframe[0].value.columns) == ["This one"]


def test_a_kept_fit_that_is_kept_anew_moves_the_frontier_too(open_page, grid: str, workspace) -> None:
    runs = load([Upload("grid.csv", ladder_csv().encode())])
    kept = {}
    for law in ("chinchilla", "kaplan"):
        Records(workspace).save(
            "fit", "mine", fit(get_law(law), runs, get_objective("huber-log"), resamples=0).to_json()
        )
        at = calm(open_page("plan", runs=grid, basis="kept:mine", budget="1e23"))
        kept[law] = rows(at, "step").set_index("step").loc[0, "params"]
        assert format_count(kept[law]) in answer(at)
    assert kept["chinchilla"] != kept["kaplan"]


def test_the_name_of_what_is_on_screen_cannot_be_taken(open_page, grid: str) -> None:
    at = calm(open_page("plan", runs=grid, closer="keep"))
    at.text_input(key="scenario_name").set_value("This one")
    at.button(key="FormSubmitter:save_scenario-Keep").click().run()
    assert "on screen" in words(at.error)
