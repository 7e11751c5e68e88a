"""Files that come and go: bad ones are refused in words, names are only text, and what is taken away can be used."""

import csv
import gzip
import io
import json
import math
import re
from pathlib import Path

import pytest
from browser_helpers import PATIENCE_MS, chart, drop, link, open_page, open_section, points, script_ended, watch
from ladder_file import COUNT, ladder_csv
from playwright.sync_api import Page, expect

from scaling_core.cli import main
from scaling_core.runs import Upload, load

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"


def take(page: Page, section: str, button: str, folder: Path) -> Path:
    """Open a section if one is named, and download what its button offers."""
    if section:
        open_section(page, section)
    offered = page.get_by_test_id("stDownloadButton").get_by_role("button", name=button)
    with page.expect_download(timeout=PATIENCE_MS) as coming:
        offered.click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def test_bad_files_are_refused_in_words_and_a_good_one_recovers(app_url: str, page: Page) -> None:
    seen = watch(page)
    open_page(page, app_url, "Runs")
    error = page.get_by_test_id("stAlertContentError")
    for name, data in (("empty.csv", b""), ("picture.csv", PNG), ("header.csv", b"n_params,train_tokens,loss\n")):
        drop(page, (name, data))
        expect(error).to_have_count(1, timeout=PATIENCE_MS)
        expect(error).to_contain_text(name)
        script_ended(page)
        page.get_by_test_id("stFileChipDeleteBtn").get_by_role("button").click()
        expect(page.get_by_test_id("stFileChip")).to_have_count(0)
    drop(page, ("good.csv", ladder_csv()))
    expect(error).to_have_count(0, timeout=PATIENCE_MS)
    expect(points(page, "runs_chart")).to_have_count(COUNT)
    seen.assert_clean()


def test_names_from_a_file_never_become_elements(app_url: str, page: Page) -> None:
    lines = list(csv.reader(io.StringIO(ladder_csv())))
    for line in lines[1:]:
        line[0] = f"<img src=x onerror=\"window.broken='{line[0]}'\">"
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    open_page(page, app_url, "Runs")
    drop(page, ("<b>bold</b>.csv", text.getvalue()))
    marks = points(page, "runs_chart")
    expect(marks).to_have_count(COUNT)
    marks.last.hover()
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_contain_text("<img src=x")
    expect(page.locator("img[src=x]")).to_have_count(0)
    expect(page.get_by_text("<b>bold</b>.csv").first).to_be_visible()
    assert page.evaluate("() => window.broken") is None


def test_the_table_of_runs_can_be_taken_away_and_read_again(app_url: str, page: Page, tmp_path: Path) -> None:
    open_page(page, link(app_url, runs="cerebras_gpt"), "Runs")
    path = take(page, "Table (7 rows)", "Download as CSV", tmp_path)
    again = load([Upload.from_path(path)])
    assert len(again.frame) == 7
    assert again.has_loss
    assert again.span("flops") == pytest.approx((2.6e18, 2.3e22), rel=0.02)


def test_a_fit_taken_away_plans_the_same_on_the_command_line(
    app_url: str, page: Page, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_page(page, link(app_url, "law", budget="3e22", section="keep"), "Law")
    fit = take(page, "", "Fit as JSON", tmp_path)
    other = page.context.new_page()  # Chromium now and then holds back a tab's second download
    open_page(other, link(app_url, "plan", budget="3e22"), "Plan")
    expect(chart(other, "plan_chart")).to_contain_text("With 3e22 FLOPs")
    asked = take(other, "Where the numbers", "Plan at 3e22 FLOPs as JSON", tmp_path)
    shown = json.loads(asked.read_text())["plan"]
    assert main(["plan", "--fit", str(fit), "--scenario", str(asked), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.keys() == shown.keys()
    for name in ("flops", "params", "tokens", "tokens_per_param", "loss"):
        assert math.isclose(said[name], shown[name], rel_tol=1e-12), name
    assert said["intervals"].keys() == shown["intervals"].keys()
    for name, pair in said["intervals"].items():
        assert pair == pytest.approx(shown["intervals"][name], rel=1e-9), name


def test_a_long_reading_shows_how_far_it_is_and_is_cancelled(page: Page, app_url: str) -> None:
    line = b'{"run": "a", "params": 1000000, "tokens": 20000000, "step": 10, "loss": 3.25, "note": "as the others"}\n'
    open_page(page, link(app_url, "", runs="pythia"), "Runs")
    before, drawn = page.url, points(page, "runs_chart").count()
    drop(page, ("long.jsonl.gz", gzip.compress(line * 1_000_000, 1)))  # little to send, and half a minute to read
    panel = page.locator(".st-key-reading")
    expect(panel.get_by_role("progressbar")).to_be_visible(timeout=PATIENCE_MS)
    expect(panel).to_contain_text(re.compile(r"(Unpacking|Reading) long\.jsonl(\.gz)?: \d+%"))
    expect(panel).to_contain_text(re.compile(r"[1-9]\d?%"), timeout=PATIENCE_MS)
    assert page.url == before
    assert points(page, "runs_chart").count() == drawn
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_have_count(0, timeout=PATIENCE_MS)
    script_ended(page)
    expect(page.get_by_test_id("stFileUploaderFileName")).to_have_count(0)
    assert page.url == before
    assert points(page, "runs_chart").count() == drawn
    drop(page, ("grid.csv", ladder_csv("val_loss")))  # and the next file opens as ever
    expect(page.locator(".st-key-strip")).to_contain_text("grid.csv", timeout=PATIENCE_MS)
    expect(points(page, "runs_chart")).to_have_count(COUNT)
