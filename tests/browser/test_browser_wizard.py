"""What files do not say, given by hand: a folder of runs, a number typed into the table, a mapping taken along."""

import json
from pathlib import Path

from browser_helpers import PATIENCE_MS, at_rest, chart, drop, go, open_page, open_section, points, query, script_ended
from playwright.sync_api import Page, expect

from scaling_core.runs import Overrides

ROW_PX = 35  # of the table, header and rows alike
SIZES = {"small": 1e6, "medium": 4e6, "large": 16e6, "huge": 64e6}


def loss(params: float, tokens: float) -> float:
    return 1.7 + 100 / params**0.34 + 400 / tokens**0.36


def type_into(page: Page, *, row: int, column: int, text: str) -> None:
    """Type into a cell of the table of runs, which is a picture: cells are where its words for readers say."""
    grid = page.locator("[class*=st-key-typed_] canvas[data-testid=data-grid-canvas]")
    expect(grid.locator("tbody tr").first).to_be_attached(timeout=PATIENCE_MS)
    grid.scroll_into_view_if_needed()
    script_ended(page)
    box = grid.bounding_box()
    assert box
    columns = grid.locator("thead th").count()
    cell = grid.locator("tbody tr").nth(row).locator("td").nth(column)
    page.mouse.click(box["x"] + box["width"] * (column + 0.5) / columns, box["y"] + ROW_PX * (row + 1.5))
    expect(cell).to_have_attribute("aria-selected", "true")  # what is typed before that is lost
    page.keyboard.press("Enter")
    editor = page.locator("#portal textarea, #portal input").first
    editor.fill(text)
    editor.press("Enter")
    expect(cell).to_have_text(text)
    script_ended(page)


def test_a_folder_of_runs_is_dropped_and_each_folder_is_a_run(app_url: str, page: Page, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    for name, n in SIZES.items():
        folder = sweep / name
        folder.mkdir(parents=True)
        log = [{"step": s, "loss": loss(n, s * 65536)} for s in range(100, 2100, 100)]
        (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, log)))
        (folder / "config.json").write_text(json.dumps({"n_params": n, "tokens_per_step": 65536}))
    open_page(page, app_url, "Runs")
    page.get_by_text("A folder", exact=True).click()
    zone = page.get_by_test_id("stFileUploader").locator("input[type=file][webkitdirectory]")
    expect(zone).to_be_attached(timeout=PATIENCE_MS)
    script_ended(page)
    zone.set_input_files(sweep)
    expect(page.locator(".st-key-strip")).to_contain_text("4 runs", timeout=PATIENCE_MS)
    at_rest(page, "Runs")
    expect(page.get_by_text("1.00M–64.0M parameters")).to_be_visible()
    expect(chart(page, "curves_chart_0").locator(".mark-line.role-mark path")).to_have_count(len(SIZES))


def test_a_number_typed_into_the_table_reaches_the_fit_and_a_mapping_file_takes_it_along(
    app_url: str, page: Page, tmp_path: Path
) -> None:
    rows = [(f"{name}-{d:.0e}", n, d) for name, n in SIZES.items() for d in (1e8, 4e8)]
    text = "run,params,tokens,loss\n" + "".join(
        f"{run},{n if i else ''},{d},{loss(n, d):.5f}\n" for i, (run, n, d) in enumerate(rows)
    )
    open_page(page, app_url, "Runs")
    drop(page, ("runs.csv", text))
    expect(points(page, "runs_chart")).to_have_count(len(rows) - 1, timeout=PATIENCE_MS)
    at_rest(page, "Runs")
    open_section(page, "Columns and units")
    page.get_by_test_id("stMain").get_by_text("Typed", exact=True).click()
    type_into(page, row=0, column=1, text="1M")
    page.get_by_role("button", name="Apply").click()
    expect(points(page, "runs_chart")).to_have_count(len(rows), timeout=PATIENCE_MS)
    at_rest(page, "Runs")
    said = query(page)["map"]
    assert Overrides.parse(said).given.typed == {"params": {rows[0][0]: 1e6}}
    open_section(page, "Columns and units")
    path = tmp_path / "runs.mapping.json"
    with page.expect_download(timeout=PATIENCE_MS) as coming:
        page.get_by_role("button", name="Mapping file").click()
    coming.value.save_as(path)

    go(page, "Law")
    expect(page.get_by_text(f"Fitted to {len(rows)} points")).to_be_visible(timeout=PATIENCE_MS)

    other = page.context.new_page()  # a fresh start, with the file taken along
    open_page(other, app_url, "Runs")
    drop(other, ("runs.csv", text), (path.name, path.read_bytes()))
    expect(points(other, "runs_chart")).to_have_count(len(rows), timeout=PATIENCE_MS)
    at_rest(other, "Runs")
    assert query(other)["map"] == said
