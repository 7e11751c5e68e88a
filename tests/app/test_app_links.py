"""A link restores every choice; what it cannot mean is refused in words; defaults stay out of it."""

import pytest
from app_helpers import DEFAULTS, calm, go, url, words
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from ladder_file import ladder_csv
from streamlit.testing.v1 import AppTest

from pages.parts.state import CONTROLS
from scaling_core.runs import Upload, UploadStore

#: For each control a value that is not its default, and what it is in the session.
VALUES = {
    "runs": ("pythia", "pythia"),
    "map": ("loss=loss;loss_unit=bits", "loss=loss;loss_unit=bits"),
    "law": ("power-n", "power-n"),
    "metric": ("d_model", "d_model"),
    "objective": ("huber", "huber"),
    "delta": ("0.003", 0.003),
    "weights": ("flops^0.5", "flops^0.5"),
    "limits": ("b=0.01:0.5", "b=0.01:0.5"),
    "method": ("wild", "wild"),
    "section": ("residuals", "residuals"),
    "points": ("all", "all"),
    "drop": ("3", 3),
    "warm": ("10", 10),
    "clean": ("spike,diverged", ["spike", "diverged"]),
    "tuned": ("1", True),
    "seeds": ("1", True),
    "box": ("flops:1e18:1e24", "flops:1e18:1e24"),
    "x": ("params", "params"),
    "y": ("tokens", "tokens"),
    "logx": ("0", False),
    "logy": ("0", False),
    "color": ("run", "run"),
    "view": ("tokens", "tokens"),
    "residual_x": ("predicted", "predicted"),
    "curve_x": ("tokens", "tokens"),
    "curve_y": ("grad_norm", "grad_norm"),
    "curve_color": ("run", "run"),
    "curve_smooth": ("90", 90),
    "curve_means": ("1", True),
    "curve_logx": ("0", False),
    "curve_logy": ("0", False),
    "basis": ("besiroglu", "besiroglu"),
    "budget": ("3e22", "3e22"),
    "goal": ("2.4", "2.4"),
    "hardware": ("B200 SXM", "B200 SXM"),
    "gpus": ("64", 64),
    "mfu": ("35", 35),
    "precision": ("fp8", "fp8"),
    "price": ("3.10", "3.10"),
    "peak": ("900", "900"),
    "lost": ("12", 12),
    "unique": ("5T", "5T"),
    "demand": ("2T", "2T"),
    "written": ("40", 40),
    "decode": ("5", "5"),
    "size": ("7B", "7B"),
    "bought": ("30000", "30000"),
    "speed": ("1.2M", "1.2M"),
    "follow": ("tokens", "tokens"),
    "other_laws": ("llama3,deepseek", ["llama3", "deepseek"]),
    "experiment_budget": ("$500", "$500"),
    "experiment_aim": ("params", "params"),
    "closer": ("machine", "machine"),
    "start_from": ("first/w64-l4-1.05M", "first/w64-l4-1.05M"),
    "way": ("custom", "custom"),
    "task": ("markov", "markov"),
    "text": ("notes.txt", "notes.txt"),
    "amount": ("1 h", "1 h"),
    "tune_tokens": ("100k,1M", "100k,1M"),
    "grid_sizes": ("3", 3),
    "grid_budgets": ("2", 2),
    "asked_runs": ("95000:1000000", "95000:1000000"),
    "device": ("cpu", "cpu"),
    "executor": ("ray", "ray"),
    "slot_price": ("0.5", "0.5"),
    "ladder": ("1", 1),
}
SHARED = {
    "runs": "cerebras_gpt",
    "law": "power-c",
    "objective": "mse-log",
    "box": "flops:1e18:1e22",
    "drop": "1",
    "budget": "3e22",
}


def session() -> None:
    """What every page does with its link, and nothing else."""
    import streamlit

    from pages.parts import state

    state.begin()
    streamlit.session_state["_refused"] = state.complaints()
    state.publish()


def follow(query: dict[str, str]) -> AppTest:
    at = AppTest.from_function(session, default_timeout=60)
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception, query
    return at


@pytest.mark.parametrize("page", ["runs", "law", "plan"])
def test_every_control_of_a_page_is_restored_by_its_link_and_can_be_shared(open_page, page: str) -> None:
    query = {key: text for key, (text, _) in VALUES.items()}
    assert set(query) == set(CONTROLS), "a new control needs a value here"
    at = open_page(page, **query)
    calm(at)
    assert url(at) == query
    assert {key: at.session_state[key] for key in VALUES} == {key: value for key, (_, value) in VALUES.items()}
    drawn = (*at.selectbox, *at.toggle, *at.slider, *at.text_input, *at.segmented_control)
    for widget in drawn:
        if widget.key in VALUES:
            assert widget.value == VALUES[widget.key][1], widget.key
    assert "law=power-n" in words(at.code)


def test_defaults_are_not_written_to_the_link(open_page) -> None:
    at = calm(open_page("runs", **{c.key: c.write(c.default) for c in CONTROLS.values()}))
    assert url(at) == DEFAULTS
    for name in ("law", "plan"):
        go(at, name)
        assert url(at) == DEFAULTS


def test_choices_go_with_a_person_from_page_to_page_and_with_the_link_to_another(open_page) -> None:
    at = open_page("law", runs="cerebras_gpt", law="power-c", objective="mse-log", box="flops:1e18:1e22")
    at.slider(key="drop").set_value(1).run()
    law = words(at.latex[:1])
    go(at, "plan")
    at.text_input(key="budget").set_value("3e22").run()
    calm(at)
    assert url(at) == SHARED
    go(at, "runs")
    assert url(at) == SHARED
    other = open_page("law", **url(at))
    assert words(other.latex[:1]) == law
    assert url(other) == SHARED


def test_a_link_to_an_upload_that_is_not_here_says_so_and_what_to_do(open_page) -> None:
    for name in ("runs", "law", "plan"):
        at = open_page(name, runs="a" * 64)
        assert not at.exception
        assert len(at.error) == 1
        assert "no longer has the file aaaaaaaaaaaa" in words(at.error)
        assert "Upload it again" in words(at.error)


def test_a_link_to_an_upload_that_is_here_opens_it(open_page, workspace) -> None:
    digest = UploadStore(workspace).put(Upload("grid.csv", ladder_csv().encode()))
    at = calm(open_page("runs", runs=f"{digest},gpt3"))
    assert "28 runs" in words(at.markdown)


def test_what_a_link_cannot_mean_is_refused_in_words_on_the_page(open_page) -> None:
    bad = {"law": "<b>", "y": "banana", "drop": "99", "logx": "maybe", "map": "loss", "box": "::", "budget": "much"}
    at = calm(open_page("runs", **bad))
    for key, value in bad.items():
        assert f"{key}={value}".replace("<", "&lt;").replace(">", "&gt;") in words(at.warning)
    assert url(at) == DEFAULTS


def test_a_bad_value_in_a_link_opened_later_gives_the_default_not_the_former_choice() -> None:
    at = follow({"drop": "3"})
    at.query_params.clear()
    at.query_params["drop"] = "many"
    at.run()
    assert at.session_state["_refused"] == ["drop=many"]
    assert at.session_state["drop"] == 0
    assert url(at) == DEFAULTS


SCRAPS = st.sampled_from(
    (
        *("", "0", "-1", "nan", "1e999", "9" * 400, "%ff", "<script>", "☃"),
        *("fit", "auto", "all", "flops", "flops:1:2", "flops:nan:inf", "a:b:c"),
        *("loss=", "loss=x", "loss=%ff", "loss_unit=bits_per_byte", "bytes_per_token=-1"),
    )
)
TEXTS = SCRAPS | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
#: A session takes tens of milliseconds: shrinking a failure would take minutes.
QUICK = (Phase.explicit, Phase.generate)
QUERIES = st.dictionaries(st.sampled_from([*CONTROLS, "embed_me", "runs "]), TEXTS, max_size=6)


@settings(max_examples=12, deadline=None, derandomize=True, phases=QUICK)
@given(QUERIES)
def test_any_link_is_restored_or_refused_value_by_value_and_settles(query: dict[str, str]) -> None:
    at = follow(query)
    refused = at.session_state["_refused"]
    for key, text in query.items():
        if key not in CONTROLS:
            assert key not in url(at)
        elif f"{key}={text}" in refused:
            assert at.session_state[key] == CONTROLS[key].default
        else:
            assert at.session_state[key] == CONTROLS[key].parse(text)
    again = follow(url(at))
    assert not again.session_state["_refused"]
    assert url(again) == url(at)


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=QUICK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example("law", {"box": "flops:nan:inf", "drop": "20"})
@example("runs", {"map": "params=;tokens=;flops="})
@example("runs", {"color": "nothing", "x": "tokens", "y": "tokens"})
@example("plan", {"budget": "1e999", "runs": ",,"})
@given(st.sampled_from(["runs", "law"]), QUERIES)
def test_no_link_breaks_a_page(open_page, page: str, query: dict[str, str]) -> None:
    at = open_page(page, **query)
    assert not at.exception
    assert "not your doing" not in words(at.error)
