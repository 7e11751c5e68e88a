"""Runs: the curves of a log, their controls, and the files that can be taken away."""

import numpy as np
from app_helpers import calm, marks, rows, spec, url, words

STEPS = 200


def log_csv() -> bytes:
    lines = ["run,step,params,batch_tokens,batch,loss,grad_norm"]
    for i, n in enumerate((1e6, 2e6, 4e6, 8e6)):
        for step in range(1, STEPS + 1):
            loss = 1.7 + 100 / n**0.34 + 3 / step**0.4
            lines.append(f"r{i},{step},{n:.0f},{step * 5e5:.0f},{8 + i % 2},{loss:.6f},{1 + np.sin(step) / 2:.4f}")
    return "\n".join(lines).encode()


def open_log(open_page):
    at = open_page()
    return calm(at.file_uploader(key="uploader").set_value([("log.csv", log_csv(), "text/csv")]).run())


def test_curves_stand_below_the_chart_and_their_controls_redraw_them(open_page) -> None:
    at = open_log(open_page)
    assert "Curves" in words(at.subheader)
    drawn = rows(at, "step", 1)
    assert len(drawn) == 4 * STEPS
    assert at.get("vega_lite_chart")[1].proto.alt.startswith("Loss L (nats per token) against Step of 4 runs")
    assert len(marks(spec(at, 1), "line")) == 1

    at.slider(key="curve_smooth").set_value(90).run()
    calm(at)
    assert url(at)["curve_smooth"] == "90"
    assert len(marks(spec(at, 1), "line")) == 2
    assert np.isclose(rows(at, "step", 1)["loss"].max(), drawn["loss"].max())

    at.selectbox(key="curve_y").set_value("grad_norm").run()
    at.selectbox(key="curve_color").set_value("batch").run()
    at.toggle(key="curve_means").set_value(True).run()
    calm(at)
    means = rows(at, "mean", 1)
    assert sorted(means["group"].unique()) == ["8.000", "9.000"]
    assert (means["runs"] == 2).all()


def test_runs_without_steps_have_no_curves(open_page) -> None:
    at = open_page()
    table = b"params,tokens,loss\n1e6,1e8,3\n2e6,2e8,2\n"
    at.file_uploader(key="uploader").set_value([("x.csv", table, "text/csv")]).run()
    assert "Curves" not in words(at.subheader)
