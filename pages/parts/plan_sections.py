"""What explains a plan, below its chart: one section at a time, worked out when it is opened."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace

import pandas as pd
import streamlit as st

from pages.parts import frame, law_findings, plan_answer, plan_scenarios, plan_whatif, state
from scaling_core.charts.epochs import epochs_chart
from scaling_core.charts.laws import laws_chart
from scaling_core.charts.lifetime import lifetime_chart
from scaling_core.charts.measured import named
from scaling_core.charts.pareto import pareto_chart
from scaling_core.charts.tornado import tornado_chart
from scaling_core.charts.valley import valley_chart
from scaling_core.errors import UserError
from scaling_core.planning import (
    PUBLISHED,
    Basis,
    Plan,
    Scenario,
    Terms,
    basis_of_published,
    budgets,
    frontier,
    get_published,
)
from scaling_core.planning.energy import (
    ELECTRICITY_USD_PER_KWH,
    energy_kwh,
    owned_cost,
    published_runs,
    rated_power_w,
    whole_server,
)
from scaling_core.planning.figures import energy, money, passes, size
from scaling_core.planning.flops import (
    model_flops_utilisation,
    palm_flops_per_token,
    six_n,
    training_flops_per_token,
)
from scaling_core.planning.lifetime import crossover
from scaling_core.planning.memory import GIB, MemorySetup, fewest_gpus
from scaling_core.planning.parallel import (
    ideal_precision_speedup,
    implied_matmul_share,
    modelled_precision_speedup,
    most_data_parallel,
    pipeline_bubble,
    ring_all_reduce_seconds,
    speedup,
    steps_for_batch,
    straggler_slowdown,
)
from scaling_core.planning.published_mfu import measured_fp8, mfu_curve, published_mfu
from scaling_core.planning.recipes import kaplan_critical_batch, recipes
from scaling_core.planning.repeats import SOURCE, no_return
from scaling_core.planning.shape_near import shape_near
from scaling_core.planning.trust import trust
from scaling_core.planning.typed import read_amount_of, read_price
from scaling_core.planning.valley import ZONES, valley, zone
from scaling_core.planning.whatmatters import pareto, tornado
from scaling_core.runs import LOSS
from scaling_core.units import format_count, format_flops, format_number, format_percent, format_ratio

#: Micro-batches of a step, and how much the speed of nodes scatters, where a plan does not say.
_MICRO_BATCHES, _NODE_SPREAD = 32, 0.014
#: Tokens of a sequence.
_SEQUENCE = 2048
Section = Callable[[Basis, Scenario, Plan], None]
_LOOK = {"problem": (":material/error:", "red"), "doubt": (":material/warning:", "orange"),
         "good": (":material/check_circle:", "green")}  # fmt: skip


def draw(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """One section at a time; the link keeps which."""
    st.segmented_control(
        "Look closer", list(state.PLAN_SECTIONS), key="closer", required=True, format_func=lambda n: _DRAW[n][0]
    )
    _, section = _DRAW[state.get("closer")]
    with frame.worded_errors():
        section(basis, scenario, answer)


def trusted(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """How far the plan can be trusted."""
    others = [b for b in map(basis_of_published, PUBLISHED.values()) if b.title != basis.title]
    for check in trust(basis, scenario, answer, others):
        icon, color = _LOOK[check.severity]
        st.markdown(f":{color}[{icon}] {frame.plain(check.text)}")
    if state.get("basis").startswith(state.KEPT) and (found := plan_answer.looked_at()):
        with st.expander("What was found of this fit when it was kept", icon=":material/checklist:", expanded=True):
            for finding in found:
                law_findings.line(finding)


def sizes(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """How little it costs to take another size."""
    asked = replace(scenario, params=None, loss=None, flops=scenario.flops or answer.flops)
    rows = valley(basis, asked)
    zones = [(extra, *zone(basis, asked, extra)) for extra in ZONES]
    frame.chart(
        valley_chart(rows, zones, frame.palette(), basis.metric),
        key="valley_chart",
        stacked=True,
        alt_text=f"{basis.metric.title} of models of other sizes with the same budget, and the compute they take to be "
        "as good",
        rows=named(rows, basis.metric),
    )
    st.caption(
        f"Any size in a zone reaches the {frame.plain(basis.metric.title)} of the best one with so much more compute: "
        "choose what is handy to serve."
    )
    shapes(answer, of_loss=basis.metric == LOSS)


def shapes(answer: Plan, *, of_loss: bool) -> None:
    """A concrete architecture near N*, and learning rates and batches by published rules."""
    left, right = st.columns([2, 3])
    with left:
        st.markdown("**A shape of about this size**")
        near = shape_near(answer.params)
        d = near.decoder
        st.markdown(
            f"{d.layers} layers, width {d.d_model:,}, {d.heads} heads: exactly "
            f"{format_count(near.count.total, 4)} parameters with embeddings, {100 * near.miss:+.1f}% off."
        )
        counted, estimate = training_flops_per_token(d), float(six_n(near.count.total))
        palm = float(palm_flops_per_token(near.count.total, d.layers, d.width_q, d.context))
        st.markdown(
            f"Counted layer by layer, with attention over {d.context:,} tokens, it trains with "
            f"{format_flops(counted)} FLOPs a token, {100 * (counted / estimate - 1):+.1f}% beside 6N and "
            f"{100 * (counted / palm - 1):+.1f}% beside 6N + 12LHQT (Chowdhery et al. 2022)."
        )
    with right:
        st.markdown("**Learning rate and batch by published rules**")
        rows = [
            {
                "rule": r.name,
                "learning rate": f"{r.learning_rate:.2e}" if r.learning_rate is not None else "",
                "batch, tokens": format_count(r.batch_tokens) if r.batch_tokens else "",
                "steps": format_count(r.steps) if r.steps else "",
                "steps beside the fewest": _beside_fewest(r.batch_tokens, answer) if of_loss else "",
                "inside its range": "yes" if r.inside else "no",
                "source": r.source,
            }
            for r in recipes(near.count.non_embedding, answer.tokens, answer.flops)
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True)
        st.caption(
            "These rules count N without embeddings: they are given the "
            f"{format_count(near.count.non_embedding)} of the shape beside."
        )
        if of_loss and math.isfinite(answer.loss):
            critical = format_count(float(kaplan_critical_batch(answer.loss)))
            st.caption(
                f"Critical batch at this loss, by Kaplan et al. 2020: {critical} tokens. A batch of that size takes "
                "twice the fewest steps and twice the fewest tokens (McCandlish et al. 2018)."
            )


def _beside_fewest(batch: float | None, answer: Plan) -> str:
    """Steps at a batch over the fewest there can be, by the critical batch at the plan's loss."""
    if not batch or not math.isfinite(answer.loss):
        return ""
    return format_ratio(float(steps_for_batch(1.0, batch, kaplan_critical_batch(answer.loss))))


def life(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """What serving does to the best size."""
    asked = scenario.demand.tokens
    middle = asked or 10 * answer.tokens
    demands = budgets(middle / 1e3, middle * 1e3)[::6]
    rows = crossover(basis, scenario, demands)
    frame.chart(
        lifetime_chart(rows, frame.palette(), asked or None),
        key="lifetime_chart",
        stacked=True,
        alt_text="The size that is cheapest over a model's life against how much it serves, and what it saves",
        rows=rows,
    )
    if not asked:
        st.caption("Type the tokens to serve above, and the plan is the cheapest over the model's life.")
    if scenario.params is not None:
        st.caption(_beside_the_wanted_size(scenario, answer))


def _beside_the_wanted_size(scenario: Scenario, answer: Plan) -> str:
    """That the chart is of the best size, and what the wanted one costs beside it."""
    assert scenario.params is not None  # asked only of a wanted size
    wanted = (
        f":material/info: The chart is of the size that is best, for the {'goal' if scenario.loss else 'loss'} that "
        f"{'is asked for' if scenario.loss else 'the budget reaches with it'}, not of the {size(scenario.params)} that "
        "are wanted."
    )
    if answer.lifetime_saving is None or not math.isfinite(answer.lifetime_saving):
        return wanted
    ratio = format_ratio(1 - answer.lifetime_saving)
    return f"{wanted} Those take {ratio} the compute over their life of the model cheapest to train for their own loss."


def limited(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """What passing over the same data again is worth."""
    unique = scenario.unique_tokens
    shown = unique if math.isfinite(unique) else answer.tokens
    decays = basis.decays(scenario)
    if decays is None:
        st.info("This formula says itself what repeated tokens are worth: it has no R_D*.", icon=":material/info:")
        return
    frame.chart(
        epochs_chart(shown, answer.tokens, frame.palette(), decays.tokens, decays.interval(scenario.level)),
        key="epochs_chart",
        alt_text="What tokens seen again are worth, and where repeating no longer pays",
    )
    st.caption(
        f"{frame.plain(decays.text(scenario.level))} After {passes(no_return(decays.tokens))} passes a token is "
        f"worth a tenth of a new one. The formula: {SOURCE}, eq. 5."
    )
    if not math.isfinite(unique):
        st.caption("Type the unique tokens above to plan with limited data.")


def machine(basis: Basis, scenario: Scenario, answer: Plan) -> None:
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
    waits(answer, terms, pipeline)
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


def waits(answer: Plan, terms: Terms, pipeline: int) -> None:
    """What a step waits for: gradients summed over replicas, an idle pipeline, the slowest node."""
    said = []
    n = float(terms.n_gpus)
    if terms.hardware.intranode_gb_per_s and n > 1:
        seconds = float(ring_all_reduce_seconds(4 * answer.params, n, terms.hardware.intranode_gb_per_s * 1e9))
        said.append(
            f"summing FP32 gradients over {n:,.0f} accelerators takes {format_number(seconds)} s at "
            f"{terms.hardware.intranode_gb_per_s:g} GB/s (2(n−1)/n of the bytes, ring)"
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
        "ideal": [format_ratio(v) for v in modelled.ideal],
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
    st.caption(f"With one sequence of {_SEQUENCE:,} tokens a replica, {most:,.0f} replicas fill the critical batch.")
    for note in modelled.notes:
        st.caption(f":material/info: {frame.plain(note)}")


def matters(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """What the plan hangs on."""
    metric = basis.metric
    reached = "Loss" if metric == LOSS else metric.title
    choices = {"loss": reached, "params": "Parameters", "cost_usd": "Cost", "tokens": "Tokens"}
    chosen = st.segmented_control("Follow", list(choices), format_func=choices.get, required=True, key="follow")
    rows = tornado(basis, scenario, chosen)
    if chosen == "loss" and scenario.loss is not None:
        st.info(f"The {frame.plain(metric.title)} is what you ask for: follow what it takes.", icon=":material/info:")
        rows = rows.iloc[:0]
    if chosen == "loss":
        rows = rows.assign(**{n: metric.shown(rows[n].to_numpy(dtype=float)) for n in ("low", "high", "base")})
    if len(rows):
        frame.chart(
            tornado_chart(rows, choices[chosen], frame.palette()),
            key="tornado_chart",
            alt_text=f"How far {choices[chosen].lower()} moves with each input",
            rows=rows,
        )
    elif chosen != "loss" or scenario.loss is None:
        st.info("Nothing that can be moved by a tenth changes this number.", icon=":material/info:")
    if scenario.terms is not None and basis.has_optimum:
        curve = pareto(basis, scenario, budgets(answer.flops / 100, answer.flops * 100)[::10])
        frame.chart(
            pareto_chart(curve, frame.palette(), metric),
            key="pareto_chart",
            alt_text=f"{reached} against cost: what more money buys",
            rows=named(curve, metric),
        )


def laws(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """Several laws on the same budgets, so that disagreement is seen."""
    names = st.multiselect(
        "Compare with", list(PUBLISHED), key="other_laws",
        format_func=lambda n: PUBLISHED[n].title,
    )  # fmt: skip
    flops = budgets(answer.flops / 1e3, answer.flops * 1e3)[::10]
    parts = []
    plain = Scenario(float(flops[0]))
    for title, other in (
        (basis.title, basis),
        *((PUBLISHED[n].title, basis_of_published(get_published(n))) for n in names),
    ):
        rows = frontier(other, flops, None, plain)
        if other.metric != basis.metric:  # a loss is not to be compared with an accuracy
            rows["loss"] = math.nan
        parts.append(rows[["flops", "params", "tokens", "loss"]].assign(law=title))
    rows = pd.concat(parts, ignore_index=True)
    frame.chart(
        laws_chart(rows, answer.flops, frame.palette(), basis.metric),
        key="laws_chart",
        stacked=True,
        alt_text=f"Best size and {basis.metric.title} against compute by several laws",
        rows=named(rows, basis.metric),
    )
    if basis.metric != LOSS and names:
        st.caption(
            f"The published laws are of loss: only the best size can be compared with a law of "
            f"{frame.plain(basis.metric.title)}."
        )
    for n in names:
        for caveat in PUBLISHED[n].caveats:
            st.caption(f":material/info: {frame.plain(f'{PUBLISHED[n].title}: {caveat}')}")


_DRAW: dict[str, tuple[str, Section]] = {
    "trust": ("Trust", trusted),
    "sizes": ("Other sizes", sizes),
    "life": ("Lifetime", life),
    "data": ("Data limit", limited),
    "machine": ("Machine", machine),
    "next": ("Next experiments", plan_scenarios.experiments),
    "matters": ("What matters", matters),
    "laws": ("Laws compared", laws),
    "whatif": ("What if", plan_whatif.draw),
    "keep": ("Scenarios", plan_scenarios.draw),
}
