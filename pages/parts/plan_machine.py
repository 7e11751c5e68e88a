"""The machine of a plan: what holds it, what more accelerators or other formats do, energy and prices beside."""

from __future__ import annotations

import math
from dataclasses import asdict

import pandas as pd
import streamlit as st

from pages.parts import frame
from scaling_core.errors import UserError
from scaling_core.planning import Basis, Plan, Scenario, Terms
from scaling_core.planning.energy import (
    ELECTRICITY_USD_PER_KWH,
    energy_kwh,
    owned_cost,
    published_runs,
    rated_power_w,
    whole_server,
)
from scaling_core.planning.figures import energy, money, passes
from scaling_core.planning.flops import model_flops_utilisation, six_n
from scaling_core.planning.memory import GIB, MemorySetup, fewest_gpus
from scaling_core.planning.parallel import (
    ideal_precision_speedup,
    implied_matmul_share,
    modelled_precision_speedup,
    most_data_parallel,
    pipeline_bubble,
    ring_all_reduce_seconds,
    speedup,
    straggler_slowdown,
)
from scaling_core.planning.published_mfu import measured_fp8, mfu_curve, published_mfu
from scaling_core.planning.recipes import kaplan_critical_batch
from scaling_core.planning.shape_near import shape_near
from scaling_core.planning.typed import read_amount_of, read_price
from scaling_core.runs import LOSS
from scaling_core.units import format_flops, format_number, format_percent, format_ratio

#: Micro-batches of a step, and how much the speed of nodes scatters, where a plan does not say.
_MICRO_BATCHES, _NODE_SPREAD = 32, 0.014
#: Tokens of a sequence.
_SEQUENCE = 2048


def draw(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """Whether it fits, and what the number of accelerators does to it."""
    terms = scenario.terms
    if terms is None:
        return
    near = shape_near(answer.params)
    st.markdown("**The fewest accelerators that hold it while it trains**")
    fewest, pipeline = 1, 1
    try:
        found = fewest_gpus(near.decoder, terms.hardware, MemorySetup(recompute="selective", zero=1))
    except UserError as error:
        frame.show_error(error)
    else:
        s, fewest, pipeline = found.setup, found.n_gpus, found.setup.pipeline_parallel
        st.markdown(
            f"{found.n_gpus} × {frame.plain(terms.hardware.name)}: tensor parallel {s.tensor_parallel}, pipeline "
            f"{s.pipeline_parallel}, data parallel {s.data_parallel}, ZeRO {s.zero}, recomputation {s.recompute}."
        )
        sizes = {**asdict(found.parts), "in all": found.parts.total, "there is": found.capacity_bytes}
        st.dataframe(pd.DataFrame([{k: f"{v / GIB:.1f} GiB" for k, v in sizes.items()}]), hide_index=True)
        st.caption(
            "On the fullest accelerator, with one sequence of 2,048 tokens a replica; a tenth of the memory is kept "
            "free. Korthikanti et al. 2022, arXiv 2205.05198; Rajbhandari et al. 2020, arXiv 1910.02054."
        )
    waits(answer, terms, fewest, pipeline)
    if basis.metric == LOSS:  # the critical batch is read off a loss
        parallel(answer, float(terms.n_gpus), fewest)
    formats(terms)
    servers(answer, terms)
    left, right = st.columns(2)
    with left:
        measured(answer, terms)
    with right:
        bought(answer, terms)
    with st.expander("Published runs: hours, energy, carbon", icon=":material/menu_book:"):
        st.dataframe(pd.DataFrame([asdict(r) for r in published_runs()]), hide_index=True)
    with st.expander("Published utilisations", icon=":material/menu_book:"):
        st.dataframe(pd.DataFrame([asdict(r) for r in published_mfu()]), hide_index=True)


def servers(answer: Plan, terms: Terms) -> None:
    """Energy with whole servers counted, beside the convention of the cards."""
    if answer.gpu_hours is None or answer.energy_kwh is None or terms.hardware.tdp_w is None:
        return
    whole = whole_server(terms.hardware)
    counted = float(energy_kwh(answer.gpu_hours, rated_power_w(terms.hardware), whole))
    st.markdown(
        f"**Energy by another convention:** {energy(counted)}, {frame.plain(whole.convention)}, "
        f"beside the {energy(answer.energy_kwh)} of the card."
    )


def measured(answer: Plan, terms: Terms) -> None:
    """The utilisation that a measured speed means."""
    typed = st.text_input(
        "Tokens per second that you measured, of all accelerators", key="speed", placeholder="1.2M",
        help=f"Of a model of this size on {float(terms.n_gpus):,.0f} × {terms.hardware.name}.",
    )  # fmt: skip
    speed = read_amount_of(typed, "Tokens per second", "Write tokens per second: 1.2M, say.")
    if not speed:
        return
    per_token = float(six_n(answer.params))
    reached = float(model_flops_utilisation(speed, per_token, terms.hardware.peak(terms.precision) * terms.n_gpus))
    st.markdown(
        f"**{format_percent(reached)} MFU**: tokens per second × 6N = {format_flops(per_token)} FLOPs a token, over "
        f"the peak of all. {'The peak is passed: check the numbers.' if reached > 1 else 'Set it beside the chart.'}"
    )


def bought(answer: Plan, terms: Terms) -> None:
    """What the plan costs on accelerators that are bought, beside rented ones."""
    typed = st.text_input(
        "Price of one accelerator that you buy, $", key="bought", placeholder="30,000",
        help="Written off as fast as newer hardware overtakes it, with server, network and electricity (Cottier et al. "
        "2024, arXiv 2405.21015).",
    )  # fmt: skip
    price = read_price(typed)
    if not price or answer.gpu_hours is None:
        return
    power = ELECTRICITY_USD_PER_KWH[2025]
    cost = owned_cost(terms.hardware, price, power)
    hour, parts = float(cost.total), (cost.accelerator, cost.server, cost.network, cost.electricity)
    names = ("accelerator", "server", "network", "electricity")
    said = ", ".join(f"{n} {money(float(p))}" for n, p in zip(names, parts, strict=True))
    rented = f", beside {money(answer.cost_usd)} rented" if answer.cost_usd is not None else ""
    st.markdown(
        frame.plain(f"{money(hour)} an hour ({said}): {money(hour * answer.gpu_hours)} for the plan{rented}. ")
        + frame.plain(f"Electricity at ${power:g}/kWh, the mean of US industry in 2025 (Epoch AI).")
    )


def waits(answer: Plan, terms: Terms, fewest: int, pipeline: int) -> None:
    """What a step waits for: gradients summed over replicas, an idle pipeline, the slowest node."""
    said = []
    n = float(terms.n_gpus)
    replicas = math.floor(n / fewest)
    if terms.hardware.intranode_gb_per_s and replicas > 1:
        link = terms.hardware.intranode_gb_per_s
        seconds = float(ring_all_reduce_seconds(4 * answer.params / fewest, replicas, link * 1e9))
        each = "" if fewest == 1 else f", {fewest:,} accelerators each,"
        slower = "; between nodes it takes longer" if n > terms.hardware.gpus_per_node else ""
        said.append(
            f"summing FP32 gradients over {replicas:,} replicas{each} takes {format_number(seconds)} s at {link:g} "
            f"GB/s, the link inside a node (2(n−1)/n of the bytes, ring{slower})"
        )
    if pipeline > 1:
        idle = float(pipeline_bubble(pipeline, _MICRO_BATCHES))
        said.append(f"a pipeline of {pipeline} stages idles {100 * idle:.0f}% with {_MICRO_BATCHES} micro-batches")
    nodes = max(1.0, n / terms.hardware.gpus_per_node)
    if nodes > 1:
        slow = float(straggler_slowdown(nodes, _NODE_SPREAD))
        said.append(f"the slowest of {nodes:,.0f} nodes costs {100 * slow:.1f}% (σ√(2 ln n), σ = {_NODE_SPREAD:g})")
    if said:
        st.markdown("**What a step waits for:** " + frame.plain("; ".join(said)) + ".")


def formats(terms: Terms) -> None:
    """What other number formats would do: the ratio of the peaks, and what of it is left in practice."""
    peaks = terms.hardware.peak_flops_per_s
    used = terms.precision or terms.hardware.training_precision
    seen = [(m.speedup, f"{m.model}, context {m.context_tokens:,}") for m in measured_fp8()]
    shares = sorted(float(implied_matmul_share(2.0, speed)) for speed, _ in seen)
    share = shares[len(shares) // 2]
    rows = [
        {
            "number format": name,
            "ideal": format_ratio(float(ideal_precision_speedup(peak, peaks[used]))),
            "modelled": format_ratio(
                float(modelled_precision_speedup(ideal_precision_speedup(peak, peaks[used]), share))
            ),
        }
        for name, peak in peaks.items()
        if peak >= peaks[used]  # measured speed-ups say nothing of slower formats
    ]
    st.markdown(f"**Other number formats,** against {used}")
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    st.caption(
        f"Modelled: {100 * share:.0f}% of the time in matrix products, the middle of what FP8 on 8 H100 implies "
        f"({'; '.join(f'{text}: {speed:.2f}×' for speed, text in seen)})."
    )


def parallel(answer: Plan, wanted: float, fewest: int) -> None:
    """Ideal speed-up beside the modelled one, and where the batch caps it."""
    if not math.isfinite(answer.loss):
        return
    critical = float(kaplan_critical_batch(answer.loss))
    counts = sorted({float(fewest * 2**k) for k in range(0, 14, 2)} | {max(wanted, float(fewest))})
    modelled = speedup(counts, mfu_curve(answer.params), critical, gpus_per_replica=fewest)
    st.markdown("**More accelerators:** ideal speed-up beside the modelled one")
    columns = {
        "accelerators": [f"{n:,.0f}" for n in counts],
        "ideal": [f"{v:,.0f}×" if v >= 100 else format_ratio(v) for v in modelled.ideal],
        "modelled": [format_ratio(v) for v in modelled.modelled],
        "MFU": [f"{100 * v:.0f}%" for v in modelled.mfu],
        "tokens needed": [format_ratio(v) for v in modelled.extra_tokens],
    }
    st.dataframe(pd.DataFrame(columns), hide_index=True)
    if (modelled.modelled > modelled.ideal).any():
        st.caption(
            ":material/info: More than ideal: the smallest number that was measured had a lower utilisation, since it "
            "had to split the model harder."
        )
    most = float(most_data_parallel(critical, _SEQUENCE))
    st.caption(f"With one sequence of {_SEQUENCE:,} tokens a replica, {passes(most)} replicas fill the critical batch.")
    for note in modelled.notes:
        st.caption(f":material/info: {frame.plain(note)}")
