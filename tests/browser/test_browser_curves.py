"""Curves of runs, with a hand on them: controls redraw them, a drag refines, the pointer reads every run."""

import re

import pytest
from browser_helpers import (
    PATIENCE_MS,
    at_rest,
    chart,
    choose,
    drop,
    frames,
    open_page,
    query,
    script_ended,
    watch,
)
from playwright.sync_api import Locator, Page, expect

#: More points a run than reach the browser, with one that stands out.
STEPS, SPIKE = 4000, 3000
SIZES = (1e6, 1e6, 4e6, 16e6)
FIRST = "curves_chart_0"
OPACITY = "all => all.map(e => Number(e.getAttribute('opacity') ?? 1))"


def loss(params: float, step: int) -> float:
    return 1.7 + 100 / params**0.34 + 0.6 / step**0.4


def log_csv(sizes: tuple[float, ...] = SIZES, steps: int = STEPS, name: str = "r{}") -> str:
    lines = ["run,step,params,tokens,loss"]
    for i, n in enumerate(sizes):
        for step in range(1, steps + 1):
            value = 4 if (i, step) == (0, SPIKE) else loss(n, step)
            lines.append(f"{name.format(i)},{step},{n:.0f},{step * 65536},{value:.6f}")
    return "\n".join(lines)


@pytest.fixture
def curves(app_url: str, page: Page) -> Page:
    open_page(page, app_url, "Runs")
    drop(page, ("log.csv", log_csv()))
    chart(page, FIRST)
    at_rest(page, "Runs")
    return page


def paths(page: Page, kind: str, key: str = FIRST) -> Locator:
    return chart(page, key).locator(f".mark-{kind}.role-mark path")


def x_labels(page: Page, key: str = FIRST) -> Locator:
    return chart(page, key).locator(".role-axis .role-axis-label").first


def corners(line: Locator) -> list[tuple[float, float]]:
    """The points of a line, in pixels of the chart."""
    drawn = line.get_attribute("d") or ""
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+(?:e-?\d+)?),(-?[\d.]+(?:e-?\d+)?)", drawn)]


def replaced(page: Page, key: str, words: str) -> None:
    """Wait until the chart before is gone and this one, with these words, stands alone in its place."""
    page.wait_for_function(
        """([box, words]) => {
            const drawn = document.querySelectorAll(`.st-key-box_${box} svg.marks`);
            return drawn.length === 1 && drawn[0].textContent.includes(words);
        }""",
        arg=[key, words],
        timeout=PATIENCE_MS,
    )
    script_ended(page)


def spiked(page: Page, key: str) -> list[tuple[float, float]]:
    """The line of the run with the spike, which reaches highest."""
    expect(paths(page, "line", key)).to_have_count(len(SIZES), timeout=PATIENCE_MS)
    return min((corners(line) for line in paths(page, "line", key).all()), key=lambda line: min(y for _, y in line))


def plot(page: Page, key: str = FIRST):
    box = chart(page, key).locator(".role-frame .background").first.bounding_box()
    assert box
    return box


def test_lines_stand_there_and_every_control_redraws_them(curves: Page) -> None:
    lines = paths(curves, "line")
    expect(lines).to_have_count(len(SIZES))
    whole = chart(curves, FIRST)
    expect(whole).to_contain_text("Loss L (nats per token)")
    expect(whole).to_contain_text("1k")

    choose(curves, "Along", "Training tokens D")
    expect(whole).to_contain_text("Training tokens D", timeout=PATIENCE_MS)
    expect(whole).to_contain_text("100M")

    curves.locator(".st-key-curve_smooth").get_by_role("slider").press("End")
    expect(lines).to_have_count(2 * len(SIZES), timeout=PATIENCE_MS)  # what was logged stays behind

    script_ended(curves)
    curves.get_by_role("button", name="More", exact=True).click()
    curves.get_by_text("Mean and range of each colour").click()
    expect(paths(curves, "area")).to_have_count(3, timeout=PATIENCE_MS)
    expect(lines).to_have_count(3)
    script_ended(curves)
    curves.get_by_text("Log along").click()
    expect(whole).to_contain_text("250M", timeout=PATIENCE_MS)
    expect(whole).not_to_contain_text("1M")
    script_ended(curves)
    said = {"curve_x": "tokens", "curve_smooth": "99", "curve_means": "1", "curve_logx": "0"}
    assert said.items() <= query(curves).items()


def test_a_drag_shows_a_part_with_more_of_its_points_and_a_spike_is_never_lost(curves: Page) -> None:
    before = spiked(curves, FIRST)
    assert len(before) <= 2_000
    chart(curves, FIRST).scroll_into_view_if_needed()
    box = plot(curves)
    spike = min(before, key=lambda corner: corner[1])[0]
    low, high = spike - 0.02 * box["width"], spike + 0.02 * box["width"]
    seen = sum(low <= x <= high for x, _ in before)

    middle = box["y"] + box["height"] / 2
    curves.mouse.move(box["x"] + low, middle)
    curves.mouse.down()
    for part in range(1, 11):
        curves.mouse.move(box["x"] + low + (high - low) * part / 10, middle)
        frames(curves)
    frames(curves, 6)
    curves.mouse.up()

    replaced(curves, "curves_chart_1", "2.8k")
    after = spiked(curves, "curves_chart_1")
    assert len(after) > 2 * seen
    heights = [y for _, y in after]
    assert 0 < min(heights) < 0.1 * box["height"] < 0.5 * box["height"] < max(heights), "the spike is there"
    curves.get_by_role("button", name="Whole curves").click()
    replaced(curves, "curves_chart_2", "100")
    assert spiked(curves, "curves_chart_2") == before


def test_pointer_and_legend_tell_runs_of_one_name_in_two_files_apart(app_url: str, page: Page) -> None:
    seen = watch(page)
    open_page(page, app_url, "Runs")
    drop(page, *((f"{n:.0f}.csv", log_csv((n,), 500, "same")) for n in (1e6, 4e6)))
    drawing = chart(page, FIRST)
    at_rest(page, "Runs")
    expect(paths(page, "line")).to_have_count(2)
    drawing.scroll_into_view_if_needed()
    box = plot(page)
    tip = page.locator("#vg-tooltip-element")
    for part in (0.7, 0.71):  # a pointer that comes from outside is seen at its second move
        page.mouse.move(box["x"] + part * box["width"], box["y"] + box["height"] / 3)
        frames(page, 3)
    expect(tip).to_contain_text("same (1000000.csv)", timeout=PATIENCE_MS)
    told = dict(zip(*(tip.locator(f"td.{kind}").all_inner_texts() for kind in ("key", "value")), strict=True))
    told = {name.rstrip(":"): value for name, value in told.items()}
    step = int(told["Step"].replace(",", ""))
    for n in (1e6, 4e6):
        assert float(told[f"same ({n:.0f}.csv)"]) == pytest.approx(loss(n, step), rel=2e-3)

    sent = seen.sent
    assert min(paths(page, "line").evaluate_all(OPACITY)) > 0.9
    drawing.locator(".role-legend-label text").first.click()
    page.wait_for_function(
        """() => [...document.querySelectorAll('.st-key-box_curves_chart_0 .mark-line.role-mark path')]
            .filter(e => Number(e.getAttribute('opacity') ?? 1) < 0.2).length === 1"""
    )
    assert seen.sent == sent, "the legend asks nothing of the server"
    seen.assert_clean()
