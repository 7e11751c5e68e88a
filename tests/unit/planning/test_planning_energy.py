"""Energy, carbon and the cost of owning: published rows, and the constants of Cottier et al. 2024."""

from __future__ import annotations

import numpy as np
import pytest
from printed_values import printed

from scaling_core.errors import UserError
from scaling_core.planning.energy import (
    ACCELERATORS_ONLY,
    PowerTerms,
    co2e_kg,
    energy_kwh,
    owned_cost,
    power_kw,
    published_runs,
    rated_power_w,
    whole_server,
)
from scaling_core.planning.hardware import get_hardware


@pytest.mark.parametrize(
    ("hours", "mwh", "tonnes"),
    [(1_022_362, "449.8", "173.2"), (82_432, "36.3", "14.0")],
    ids=["LLaMA 65B", "LLaMA 7B"],
)
def test_energy_and_carbon_of_llama(hours: float, mwh: str, tonnes: str) -> None:
    """Touvron et al. 2023, Table 15: hours × 400 W × PUE 1.1, at 0.385 kg/kWh."""
    kwh = energy_kwh(hours, 400.0)
    assert np.asarray(kwh) / 1000 == printed(mwh)
    assert np.asarray(co2e_kg(kwh)) / 1000 == printed(tonnes)


def test_every_published_row_of_the_same_convention() -> None:
    """Printed to whole MWh and tonnes, cut rather than rounded; later cards give two decimals."""
    rows = [r for r in published_runs() if r.date in ("2023-02", "2023-07")]
    assert len(rows) == 9
    for r in rows:
        kwh = float(energy_kwh(r.gpu_hours, r.gpu_power_w))
        assert r.energy_mwh is None or 0 <= kwh / 1000 - r.energy_mwh < 1.5, r.model
        assert r.co2e_t is not None
        assert abs(float(co2e_kg(kwh)) / 1000 - r.co2e_t) < (1.0 if r.energy_mwh else 0.01), r.model


def test_whole_servers_by_the_constants_of_epoch() -> None:
    """10.2 kW for 8 H100 of 700 W and 6.5 kW for 8 A100 of 400 W; GPUs draw 75% of that, TPUs 43%."""
    h100, a100, tpu, other = (whole_server(get_hardware(n)) for n in ("H100 SXM", "A100 SXM 80GB", "TPU v4", "L40S"))
    factors = [t.server_factor for t in (h100, a100, tpu, other)]
    assert factors == pytest.approx([1.821428571, 2.03125, 1.56, 1.8], rel=1e-9)
    assert [t.power_fraction for t in (h100, tpu)] == [0.75, 0.43]
    assert (h100.pue, whole_server(get_hardware("H200"), hyperscaler=True).pue) == (1.25, 1.1)
    assert power_kw(700.0, h100) == pytest.approx(10.2 / 8 * 0.75 * 1.25, rel=1e-12)


def test_the_two_conventions_differ_by_much_for_the_same_hours() -> None:
    h100 = get_hardware("H100 SXM")
    ratio = np.asarray(power_kw(700.0, whole_server(h100))) / power_kw(700.0, ACCELERATORS_ONLY)
    assert ratio == pytest.approx(1.552, abs=1e-3)


def test_owning_an_accelerator() -> None:
    """0.14 ln 10 of its price a year, servers at 1.64 times the chips, the network 19% of all (Cottier et al. 2024)."""
    cost = owned_cost(get_hardware("H100 SXM"), 30_000.0, 0.0826)
    yearly = 0.14 * np.log(10)
    assert cost.accelerator == pytest.approx(30_000 * yearly / 8766, rel=1e-12)
    parts = np.array([cost.accelerator, cost.server, cost.network], dtype=float)
    assert parts[1] / parts[0] == pytest.approx(0.64)
    assert parts[2] / parts.sum() == pytest.approx(0.19)
    assert cost.electricity == pytest.approx(0.0826 * 10.2 / 8 * 0.75 * 1.25)
    assert cost.total == pytest.approx(parts.sum() + float(cost.electricity))
    a100 = owned_cost(get_hardware("A100 SXM 80GB"), 1.0, 0.0)
    assert float(a100.server) / float(a100.accelerator) == pytest.approx(0.66)


def test_draws_pass_through() -> None:
    hours = np.array([1e3, 2e3, 4e3])
    terms = PowerTerms(pue=np.array([1.1, 1.2, 1.3]))
    assert energy_kwh(hours, 500.0, terms) == pytest.approx(hours * 0.5 * np.array([1.1, 1.2, 1.3]))


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"pue": 0.9}, "PUE must be 1 or more"),
        ({"power_fraction": 0.0}, "rated power"),
        ({"carbon_kg_per_kwh": -1}, "carbon"),
    ],
)
def test_impossible_terms_are_refused(terms: dict[str, float], said: str) -> None:
    with pytest.raises(UserError, match=said):
        PowerTerms(**terms)


def test_an_unknown_power_is_said() -> None:
    with pytest.raises(UserError, match="power of TPU v5p is not known"):
        rated_power_w(get_hardware("TPU v5p"))
