"""Law: the choices change the curve, its doubts are said in words, and points chosen on a chart are the ones fitted."""

from app_helpers import DEFAULTS, calm, marks, rows, spec, url, words

BOX = "flops:1e18:1e21"
INSIDE, OUTSIDE = 4, 3  # of the seven Cerebras-GPT models


def formula(at) -> str:
    return words(at.latex[:1])


def test_law_objective_and_dropped_losses_change_the_formula_and_the_link(open_page) -> None:
    at = open_page("law", runs="pythia")
    seen = [formula(at)]
    for change in (
        lambda: at.selectbox(key="law").set_value("power-c-offset"),
        lambda: at.selectbox(key="objective").set_value("mse"),
        lambda: at.slider(key="drop").set_value(2),
    ):
        change().run()
        calm(at)
        seen.append(formula(at))
    assert len(set(seen)) == len(seen), seen
    assert "L(N)" in seen[0]
    assert "L(C)" in seen[1]
    assert "Fitted to 6 points" in words(at.markdown)
    assert url(at) == {"runs": "pythia", "law": "power-c-offset", "objective": "mse", "drop": "2"}
    assert set(rows(at, "__role")["__role"]) == {"fitted", "excluded"}


def test_a_fit_that_the_runs_do_not_pin_down_is_doubted_in_words(open_page) -> None:
    at = calm(open_page("law", runs="cerebras_gpt", law="chinchilla"))
    assert "fit: doubtful" in words(at.markdown)
    assert "do not pin down every parameter" in words(at.warning)
    assert "more runs than parameters" in words(at.warning)


def test_every_parameter_has_its_interval(open_page) -> None:
    table = next(
        d.value
        for d in calm(open_page("law", runs="cerebras_gpt", section="parameters")).dataframe
        if "parameter" in d.value
    )
    assert list(table["parameter"]) == ["a", "b", "c"]
    (interval,) = [c for c in table if "90%" in c]
    assert table[interval].str.fullmatch(r"\S+ to \S+").all()


def test_the_law_is_solid_inside_its_runs_dashed_beyond_them_and_has_a_band(open_page) -> None:
    at = open_page("law")
    lines = [n["mark"] for n in marks(spec(at), "line")]
    assert {bool(m.get("strokeDash")) for m in lines} == {True, False}
    assert marks(spec(at), "area")
    assert marks(spec(at), "rect"), "the ground beyond the largest run is shaded"
    ground = " ".join(str(n) for n in marks(spec(at), "text")) + " ".join(rows(at, "text")["text"])
    assert "beyond the largest fitted run" in ground


def test_a_box_in_the_link_fits_the_runs_inside_it_until_it_is_cleared(open_page) -> None:
    at = calm(open_page("law", runs="cerebras_gpt", box=BOX, law="power-c"))
    inside = formula(at)
    assert f"Fitting **{INSIDE}** runs inside the box" in words(at.markdown)
    assert f"**{OUTSIDE}** are held out" in words(at.markdown)
    assert f"the {OUTSIDE} held-out runs are off by" in words(at.markdown)
    assert rows(at, "__role")["__role"].value_counts().to_dict() == {"fitted": INSIDE, "held out": OUTSIDE}
    at.button(key="clear_box").click().run()
    calm(at)
    assert formula(at) != inside
    assert url(at) == {"runs": "cerebras_gpt", "law": "power-c"}
    assert "Fitted to 7 points" in words(at.markdown)


def test_a_box_that_holds_too_little_says_so_and_can_be_cleared(open_page) -> None:
    for box, said in (("flops:1:2", "needs at least"), ("bogus:1:2", "“bogus”")):
        at = open_page("law", box=box)
        assert not at.exception
        assert said in words(at.error)
        at.button(key="clear_box").click().run()
        calm(at)
        assert url(at) == DEFAULTS


def test_runs_keeps_its_chart_under_a_box_that_makes_no_sense_and_clears_it(open_page) -> None:
    at = open_page("runs", box="bogus:1:2")
    assert "“bogus”" in words(at.error)
    assert at.get("vega_lite_chart")
    at.button(key="clear_box").click().run()
    calm(at)
    assert url(at) == DEFAULTS
