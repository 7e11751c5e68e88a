"""A typed formula: what it means, its derivatives, what is made of its parameters, and how it is refused."""

from __future__ import annotations

import math
import pickle
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_runs import CHINCHILLA

from scaling_core.errors import UserError
from scaling_core.laws import Array, get_law
from scaling_core.laws.custom import MAX_PARAMETERS, CustomLaw, custom_law
from scaling_core.laws.custom_latex import symbol
from scaling_core.laws.custom_text import parse
from scaling_core.laws.custom_tree import evaluate

NAMES = {"a": 1.37, "b": 0.71, "alpha": 0.43}
COLUMNS = {"params": 3.3, "tokens": 11.9}
#: What Python itself calls these things.
PYTHON = {**NAMES, "N": 3.3, "D": 11.9, "M": 11.9 / 3.3, "exp": math.exp, "log": math.log, "sqrt": math.sqrt}
LAWS = [
    "E + A/N**alpha + B/D**beta",
    "E + (A/N^alpha + B/D^beta)^gamma",
    "((Nc/N)**(aN/aD) + Dc/D)**aD",
    "E + (a*M**eta + b*M**-eta)*C**-eta",
    "a*(N + d)**(-b) + c",
    "E + a*exp(-k*N) + b*log(D)",
    "1/(a + b*N**c)",
    "sqrt(a*N**(-b + c*log(D)) + 2)",
    "exp(a - b*log(N) + c*log(N)**2)",
]
EVERY = pytest.mark.parametrize("text", LAWS)


def texts() -> st.SearchStrategy[str]:
    """Formulas as Python and the law both read them, brackets or not, so that precedence is tried too."""
    leaf = st.sampled_from([*NAMES, "N", "D", "M", "2", "0.5", "3e-1", ".7"])

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from([" + ", "-", "*", " / ", "**"]), inner).map("".join),
            inner.map("-{}".format),
            inner.map("({})".format),
            st.tuples(st.sampled_from(["exp", "log", "sqrt"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        )

    return st.recursive(leaf, larger, max_leaves=9)


def by_python(text: str, factor: float = 1.0) -> Any:
    """The value that Python gives the text, its names moved by a factor; None where it has none."""
    names = {n: v * factor if isinstance(v, float) else v for n, v in PYTHON.items()}
    try:
        return eval(text, {"__builtins__": {}}, names)
    except (ZeroDivisionError, OverflowError, ValueError):
        return None


def is_well_conditioned(value: Any, nearby: Any) -> bool:
    """Whether a change in the tenth digit of everything leaves six digits of the value."""
    if not isinstance(value, float | int) or not isinstance(nearby, float | int) or not 1e-9 < abs(value) < 1e9:
        return False
    return abs(nearby - value) < 1e-6 * abs(value)


def runs(n: int = 9) -> dict[str, Array]:
    rng = np.random.default_rng(1)
    params, tokens = np.exp(rng.uniform(math.log(1e7), math.log(1e10), (2, n)))
    return {"params": params, "tokens": 20 * tokens, "flops": 120 * params * tokens}


def central(function: Any, at: Array, i: int, h: float = 1e-4) -> Array:
    """Central difference of order four by coordinate ``i`` of the last axis."""
    step = np.zeros(at.shape[-1])
    step[i] = h * max(1e-2, float(np.abs(at[..., i]).max()))
    with np.errstate(invalid="ignore"):
        near, far = (function(at + k * step) - function(at - k * step) for k in (1, 2))
    return np.asarray((8 * near - far) / (12 * step[i]))


@settings(max_examples=150, deadline=None)
@given(texts())
def test_a_formula_means_what_python_means(text: str) -> None:
    expected = by_python(text)
    assume(is_well_conditioned(expected, by_python(text, 1 + 1e-10)))
    try:
        tree = parse(text)
    except UserError as error:  # only numbers among themselves may be refused
        refused = error.what
        tree = None
    if tree is None:
        assert any(words in refused for words in ("power of", "finite number", "divides by 0")), refused
        return
    with np.errstate(all="ignore"):
        value = evaluate(tree, NAMES, {c: np.log(np.array([v])) for c, v in COLUMNS.items()})
    assume(np.isfinite(value).all())  # a negative number to the power of a parameter has no value
    np.testing.assert_allclose(value, expected, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(texts())
def test_derivatives_are_those_of_the_value(text: str) -> None:
    try:
        law = CustomLaw(f"a*N**-b + ({text})")  # so that there is something to fit and to read
    except UserError:
        assume(False)
    x = {name: np.array([COLUMNS[name], 1.7 * COLUMNS[name]]) for name in law.predictors}
    theta = np.array([NAMES[name] for name in law.parameter_names])
    jacobian = law.jacobian(theta, x)
    assume(np.isfinite(jacobian).all() and (np.abs(jacobian) < 1e6).all())
    for i in range(len(theta)):
        wide, narrow = (central(lambda t: law.predict(t, x), theta, i, h) for h in (2e-4, 1e-4))
        size = np.abs(law.predict(theta, x)).max() + np.abs(jacobian).max()
        assume(np.abs(wide - narrow).max() < 1e-7 * size)  # else the difference itself is in doubt
        np.testing.assert_allclose(jacobian[:, i], narrow, atol=1e-6 * size)


@EVERY
def test_working_coordinates_give_the_law_and_its_derivatives(text: str) -> None:
    law = custom_law(text)
    x = {name: runs()[name] for name in law.predictors}
    working = law.working(x, 2.5)
    u = working.starts(np.linspace(1.3, 0.8, 9))[::7][:4]
    u = np.clip(u, working.lower + 1e-3, working.upper - 1e-3)
    here = working.at(u)
    np.testing.assert_allclose(here.value, law.predict(working.to_natural(u), x) / 2.5, rtol=1e-10)
    np.testing.assert_allclose(working.from_natural(working.to_natural(u)), u, rtol=1e-10, atol=1e-10)
    v = np.random.default_rng(2).normal(size=(len(u), 9))
    gradient, curvature = here.gradient(), here.curvature(v)
    for i in range(u.shape[1]):
        for k in range(len(u)):  # each row has steps of its own size
            row, weight = u[k : k + 1], v[k : k + 1]
            slope = central(lambda p: working.at(p).value, row, i, 1e-3)[0]
            np.testing.assert_allclose(gradient[k, i], slope, atol=1e-7 * np.abs(gradient[k, i]).max() + 1e-11)
            bend = central(lambda p, w=weight: np.einsum("bpn,bn->bp", working.at(p).gradient(), w), row, i, 1e-3)[0]
            np.testing.assert_allclose(curvature[k, i], bend, atol=1e-6 * np.abs(curvature[k, i]).max() + 1e-9)


@pytest.mark.parametrize(
    ("text", "linear", "kinds"),
    [
        (LAWS[0], "E A B", {"E": "offset", "A": "size", "alpha": "exponent", "B": "size", "beta": "exponent"}),
        (LAWS[1], "E", {"gamma": "joint", "alpha": "exponent", "A": "size"}),
        (LAWS[2], "", {"Nc": "size", "Dc": "size", "aN": "exponent", "aD": "joint"}),
        (LAWS[3], "E a b", {"eta": "exponent", "a": "size", "b": "size"}),
        (LAWS[4], "a c", {"d": "size", "b": "exponent", "a": "size", "c": "offset"}),
        (LAWS[5], "E a b", {"k": "size", "a": "size", "b": "free", "E": "free"}),
        (LAWS[8], "", {"a": "free", "b": "size", "c": "free"}),
        ("epsilon - k*exp(-gamma*L)", "epsilon k", {"epsilon": "offset", "k": "size", "gamma": "size"}),
        ("a*([x]/[y])**b + c", "a c", {"a": "size", "b": "exponent", "c": "offset"}),
        ("a*b*N**-c", "a", {"a": "size", "b": "size"}),
    ],
)
def test_parameters_are_what_their_places_say(text: str, linear: str, kinds: dict[str, str]) -> None:
    law = CustomLaw(text)
    assert law.linear == tuple(linear.split())
    assert {name: law._roles[name].kind for name in kinds} == kinds


def test_exponents_under_which_loss_falls_have_one_sign() -> None:
    def lower(text: str) -> float:
        return next(p.lower for p in CustomLaw(text).parameters if p.name == "b")

    assert lower("a/N**b") == lower("a*N**-b") == lower("c - a*N**b") == lower("a*(N + c)**(-b)") == 0.0
    assert lower("a*N**b") == lower("a*([x]/[y])**b") == -3.0
    assert lower("a*(c/N)**(a/b)") > 0  # what divides cannot be 0


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        (LAWS[0], {"params", "tokens"}),
        (LAWS[1], {"params", "tokens"}),
        (LAWS[2], {"params", "tokens"}),
        (LAWS[3], {"params", "tokens"}),
        ("a*exp(-k*N) + c", {"params"}),
        ("K*N**-a*D**-b", {"params", "tokens"}),
        (LAWS[4], set()),  # no size takes up what N + d becomes
        ("a*N**-b + c*N**-d + N**-e", set()),  # the last term has no size
        ("A*(N**-alpha + R*D**-beta)", {"tokens"}),
        ("A/(N**a)**b + B/D**c", {"params", "tokens"}),
        ("A/N**(a + b)", set()),
    ],
)
def test_quantities_are_centred_where_sizes_take_it_up(text: str, moved: set[str]) -> None:
    law = CustomLaw(text)
    assert {shift[-1] for shifts in law.centring.values() for shift in shifts} == moved
    x = {name: runs()[name] for name in law.predictors}
    assert law.working(x, 1.0).centred == (moved == set(law.predictors))


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("E + A/N**alpha", r"L(N) = E + \frac{A}{N^{\alpha}}"),
        ("L(N, D) = (Nc/N)^(aN/aD) + Dc/D", r"L(N, D) = \left(\frac{N_{c}}{N}\right)^{a_{N}/a_{D}} + \frac{D_{c}}{D}"),
        ("a*N**-b*2", r"L(N) = a \, N^{-b} \cdot 2"),
        ("a*[tokens_per {s}]+1e-3", r"L(\mathrm{tokens\_per\ \{s\}}) = a \, \mathrm{tokens\_per\ \{s\}} + 10^{-3}"),
        ("epsilon - k*exp(-g*L)", r"\mathrm{cost}(L) = \epsilon - k \, e^{-g \, L}"),
        ("a*M", r"L(M) = a \, M,\quad M = D/N"),
        ("-a*-N*sqrt(D)/ln(C)", r"L(N, D, C) = \frac{a \, N \, \sqrt{D}}{\ln C}"),
        ("(a^b)^c*N - (a - N)", r"L(N) = \left(a^{b}\right)^{c} \, N - \left(a - N\right)"),
    ],
)
def test_latex(text: str, latex: str) -> None:
    assert CustomLaw(text).formula() == latex


def test_latex_with_numbers_keeps_its_meaning() -> None:
    law = CustomLaw("a*N**b + c - d*log(N)")
    numbers = {"a": r"4.8\times 10^{2}", "b": "-0.3", "c": "-1.5", "d": "-2"}
    assert law.formula(numbers) == r"L(N) = 4.8\times 10^{2} \, N^{-0.3} - 1.5 - \left(-2\right) \, \ln N"


def test_symbols() -> None:
    written = {"alpha": r"\alpha", "alpha_N": r"\alpha_{N}", "Nc": "N_{c}", "E0": "E_{0}", "eta": r"\eta",
               "rate": r"\mathrm{rate}", "L_inf": r"L_{\mathrm{inf}}"}  # fmt: skip
    assert {name: symbol(name) for name in written} == written


def test_greek_letters_signs_and_a_left_side_are_read() -> None:
    assert parse("L(N, D) = E + A·N^−α") == parse("E + A*N**-alpha")


@pytest.mark.parametrize(
    ("text", "place", "piece"),
    [
        ("E + A/N**alpha + @", 18, "@"),
        ("2N", 2, "N"),
        ("a*(N + b", 3, "("),
        ("a + N)", 6, ")"),
        ("a*", 2, "*"),
        ("sin(N)*a", 1, "sin"),
        ("a*exp + N", 3, "exp"),
        ("a N", 3, "N"),
        ("a*N**1e3", 4, "**"),
        ("10**10**10*a*N", 3, "**"),
        ("a/0 + N", 2, "/"),
        ("a*log(0)*N", 8, ")"),
        ("1e999*a*N", 1, "1e999"),
        ("a.real*N", 2, "."),
        ("a__b*N", 1, "a__b"),
        ("a*N*" + "(" * 60 + "N" + ")" * 60, 35, "("),
        ("a*N" + "-" * 60 + "1", 35, "-"),
    ],
)
def test_what_is_not_allowed_is_pointed_at(text: str, place: int, piece: str) -> None:
    with pytest.raises(UserError) as caught:
        CustomLaw(text)
    assert caught.value.where == f"formula, character {place}"
    assert caught.value.what.startswith(f"“{piece}”")
    assert f"▸{piece}◂" in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('exit 1')",
        "().__class__.__bases__[0]",
        "(lambda: N)()",
        "[N for N in (1, 2)]*0",
        "(a := N)",
        "f'{N}'",
        "a if N else b",
        "exec(a)*N",
        "a; N",
        "N\n+a\n)",
        "'N'*a",
        "a[0]*N",
        "exp(a, N)",
        "a*N # b",
        "0x10*a*N",
        "1_000*a*N",
        "N" * 10_000,
        "a+" * 250 + "N",
        "\x00a*N",
        "",
        "   ",
    ],
)
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        CustomLaw(text)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("aNDexp lqrt()[]*/+-^._'\"0123456789eE=:,", max_size=40)))
def test_text_of_any_kind_is_a_law_or_an_error_for_a_person(text: str) -> None:
    with suppress(UserError):
        law = CustomLaw(text)
        assert law.parameters
        assert law.formula()


def test_there_must_be_something_to_fit_and_something_to_read() -> None:
    with pytest.raises(UserError, match="no parameters"):
        CustomLaw("1/N + 2/D")
    with pytest.raises(UserError, match="reads nothing"):
        CustomLaw("a + b").check(pd.DataFrame({"params": [1e6]}))
    many = " + ".join(f"p{i}" for i in range(MAX_PARAMETERS + 1))
    with pytest.raises(UserError, match="13 parameters"):
        CustomLaw(f"{many} + N")
    assert len(CustomLaw(" + ".join(f"p{i}*N**-{i}" for i in range(MAX_PARAMETERS))).parameters) == MAX_PARAMETERS


def test_a_name_that_is_a_column_of_the_runs_is_read_from_them() -> None:
    frame = pd.DataFrame({"devices": [1, 2], "alpha": ["x", "y"], "params": [1e6, 2e6], "run": ["a", "b"]})
    law = custom_law("E + A/devices**alpha + b/params**c")
    assert law.parameter_names == ("E", "A", "devices", "alpha", "b", "c")
    here = law.on(frame)
    assert here.name == "custom:E + A/[devices]**alpha + b/params**c"
    assert here.predictors == ("devices", "params")
    assert here.parameter_names == ("E", "A", "alpha", "b", "c")
    assert "devices" in here.notes[0]
    assert get_law(here.name) is here is here.on(frame)
    with pytest.raises(UserError, match="devices"):
        here.check(frame.drop(columns="devices"))


def test_a_law_can_be_stored() -> None:
    law = custom_law(LAWS[0])
    again = pickle.loads(pickle.dumps(law))
    x = {"params": np.array([1e9]), "tokens": np.array([2e10])}
    theta = np.array([1.8, 400, 0.34, 2000, 0.36])
    assert again.predict(theta, x) == law.predict(theta, x)
    assert again.name == law.name


FLOPS = np.geomspace(1e18, 1e25, 4)


def test_the_best_split_is_that_of_the_closed_form() -> None:
    E, A, B, alpha, beta = CHINCHILLA
    best = get_law("chinchilla").optimum(CHINCHILLA, FLOPS)
    mine = custom_law(LAWS[0]).optimum(np.array([E, A, alpha, B, beta]), FLOPS)
    by_flops = custom_law("E + A/N**alpha + B/(C/(6*N))**beta").optimum(np.array([E, A, alpha, B, beta]), FLOPS)
    unique = custom_law("E + A/N**alpha + B/U**beta").optimum(np.array([E, A, alpha, B, beta]), FLOPS)
    for other in (mine, by_flops, unique):
        np.testing.assert_allclose(other.params, best.params, rtol=1e-5)
        np.testing.assert_allclose(other.loss, best.loss, rtol=1e-10)


def test_unique_tokens_bound_what_new_tokens_are_worth() -> None:
    law, theta = custom_law("E + A/N**alpha + B/U**beta"), np.array([1.8, 400, 0.34, 2000, 0.36])
    few = law.optimum(theta, FLOPS[-1:], unique_tokens=1e9)
    free = law.optimum(theta, FLOPS[-1:])
    assert few.tokens[0] == pytest.approx(1e9, rel=1e-4)
    assert few.loss[0] > free.loss[0]


def test_there_is_no_split_where_the_formula_cannot_say() -> None:
    assert custom_law("a/N**b").optimum(np.ones(2), FLOPS) is None
    assert custom_law("a/N**b + c/[devices]**d").optimum(np.ones(4), FLOPS) is None
