"""Plan: the numbers on the page are those of the library, whatever is typed."""

import pandas as pd
import pytest
from app_helpers import DEFAULTS, calm, marks, nodes, rows, spec, url, words

from scaling_core.planning import PUBLISHED, QUANTITIES, Scenario, basis_of_published, plan


def start(at) -> pd.Series:
    """The row on which the slider stands first."""
    return rows(at, "step").set_index("step").loc[0]


def sliders(at) -> list[dict]:
    return [n for n in nodes(spec(at)) if n.get("name") == "budget" and "bind" in n]


def test_published_constants_give_the_plan_of_the_library(open_page) -> None:
    at = calm(open_page("plan", basis="besiroglu", budget="5.76e23"))
    row = start(at)
    # Besiroglu et al. 2024's constants in Hoffmann et al. 2022, eq. 4
    assert row["flops"] == 5.76e23
    assert row["params"] == pytest.approx(7.22487e10, rel=1e-5)
    assert row["tokens"] == pytest.approx(1.32874e12, rel=1e-5)
    assert row["loss"] == pytest.approx(1.974441, abs=1e-6)
    assert "no intervals" in words(at.caption)
    (slider,) = sliders(at)
    assert slider["bind"]["input"] == "range"
    assert slider["bind"]["min"] < slider["value"] == 0 < slider["bind"]["max"]
    assert marks(spec(at), "line")

    at.selectbox(key="basis").set_value("muennighoff_c4").run()
    calm(at)
    answer = plan(basis_of_published(PUBLISHED["muennighoff_c4"]), Scenario(5.76e23))
    assert {q: start(at)[q] for q in QUANTITIES} == {q: getattr(answer, q) for q in QUANTITIES}
    assert "is not known" in start(at)["warning"]
    assert url(at) == {**DEFAULTS, "basis": "muennighoff_c4", "budget": "5.76e23"}


def test_a_budget_is_typed_as_people_write_it_and_nonsense_is_answered_in_words(open_page) -> None:
    at = open_page("plan")
    for typed, flops in (("1e24", 1e24), ("3e22 FLOPs", 3e22), ("1", 1.0), ("1e35", 1e35)):
        at.text_input(key="budget").set_value(typed).run()
        calm(at)
        assert start(at)["flops"] == flops
        assert url(at)["budget"] == typed
    assert "beyond the largest run" in start(at)["warning"]
    assert start(at)["state"] == "beyond"
    for typed in ("1e41", "-5", "a lot"):
        at.text_input(key="budget").set_value(typed).run()
        assert not at.exception
        assert len(at.error) == 1
        assert typed in words(at.error)
        assert not at.get("vega_lite_chart"), "no other plan stands in"


def test_a_plan_on_a_doubtful_fit_warns(open_page) -> None:
    at = calm(open_page("plan", runs="cerebras_gpt", law="chinchilla", budget="1e22"))
    assert "stands on a doubtful fit" in words(at.markdown)
    assert start(at)["warning"].startswith("The best size lies"), "the budget is inside the runs, the size is not"


def test_a_budget_of_no_time_is_no_question_of_accelerators_but_of_this_machine(open_page) -> None:
    at = calm(open_page("plan"))  # runs of up to 2.31e13 FLOPs
    assert "seconds of one H100 SXM 80GB" in words(at.markdown)
    assert not [m for m in at.metric if m.label in ("Cost", "Time", "Energy")], "they would all say next to nothing"
    calm(at.button(key="plan_here").click().run())
    assert (url(at)["hardware"], url(at)["gpus"]) == ("this machine", "1")
    assert "this machine" in next(m.value for m in at.markdown if m.value.startswith("### "))
    at.text_input(key="budget").set_value("1e22").run()
    assert "Time" in [m.label for m in calm(at).metric]
