"""Runs: uploads, the mapping form, questions, bad files, and what the chart is told to draw."""

import csv
import io

import pytest
from app_helpers import DEFAULTS, calm, marks, rows, spec, url, words
from ladder_file import COUNT, ladder_csv
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from scaling_core.runs import Upload

NASTY = ["<img src=x onerror=alert(1)>", "**bold** `code` [a](http://b)", "=1+1", "$x^2$ :red[y] ~~z~~"]


def upload(at: AppTest, *files: tuple[str, str | bytes]) -> AppTest:
    """Drop these files in place of those that were there."""
    made = [(name, data if isinstance(data, bytes) else data.encode(), "text/csv") for name, data in files]
    return at.file_uploader(key="uploader").set_value(made).run()


def loss_column(at: AppTest) -> Selectbox:
    """The form's choice of the loss column; its key changes with what the form shows."""
    return next(s for s in at.selectbox if s.label == "Loss L")


def apply(at: AppTest) -> AppTest:
    return at.button(key="apply_mapping").click().run()


def test_naming_the_loss_column_brings_its_law(open_page) -> None:
    at = open_page()
    upload(at, ("grid.csv", ladder_csv("metric_a")))
    calm(at)
    digest = Upload("grid.csv", ladder_csv("metric_a").encode()).sha256
    assert url(at)["runs"] == digest
    assert "grid.csv" in words(at.markdown)
    assert "no loss" in words(at.markdown)
    assert "no law" in words(at.markdown)

    loss_column(at).set_value("metric_a")
    apply(at)
    calm(at)
    assert url(at) == {"runs": digest, "map": "loss=metric_a"}  # and the chart is back at loss against C
    assert "loss in nats per token" in words(at.markdown)
    assert "Chinchilla L(N, D)" in words(at.markdown)
    assert "fit: good" in words(at.markdown)
    assert len(rows(at, "run")) == COUNT
    assert marks(spec(at), "line"), "the law is drawn faintly"

    at.button(key="clear_mapping").click().run()
    assert "map" not in url(at)
    assert "no loss" in words(at.markdown)


def test_bits_per_byte_ask_for_bytes_per_token_and_the_answer_brings_a_law(open_page) -> None:
    at = open_page()
    upload(at, ("bytes.csv", ladder_csv("bpb", scale=1 / (0.693147 * 4.3))))
    assert not at.exception
    assert "How many bytes does a token stand for" in words(at.warning)
    assert "no law" in words(at.markdown)
    next(n for n in at.number_input if n.label == "Bytes per token").set_value(4.3)
    apply(at)
    calm(at)
    assert "bytes_per_token=4.3" in url(at)["map"]
    assert "fit: good" in words(at.markdown)
    assert rows(at, "run")["loss"].between(2, 5).all()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.csv", b""),
        ("header.csv", b"n_params,train_tokens,loss\n"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"),
        ("words.csv", b"it was a dark\nand stormy night\n"),
    ],
)
def test_a_bad_file_is_named_with_a_remedy_once_and_a_sample_recovers(open_page, name: str, data: bytes) -> None:
    at = open_page("runs", runs="gpt3")
    upload(at, (name, data))
    assert not at.exception
    assert len(at.error) == 1, words(at.error)
    what, remedy = words(at.error).split("\n\n")
    assert name in what
    assert len(remedy) > 10
    assert url(at)["runs"] == "gpt3" or name == "words.csv"  # what was open stays open, unless columns can be named
    at.pills(key="sample").set_value("pythia").run()
    calm(at)
    assert url(at)["runs"] == "pythia"


def test_files_that_cannot_be_kept_are_refused_in_words(open_page, workspace, monkeypatch) -> None:
    workspace.write_text("a file where the folder should be")
    at = open_page("runs", runs="gpt3")
    upload(at, ("grid.csv", ladder_csv()))
    assert not at.exception
    assert "SCALING_HOME" in words(at.error)
    assert url(at)["runs"] == "gpt3"


def test_axes_scales_and_colour_change_the_chart(open_page) -> None:
    at = open_page()
    points = marks(spec(at), "point")[0]["encoding"]
    assert (points["x"]["field"], points["y"]["field"]) == ("flops", "loss")
    assert points["x"]["scale"]["type"] == points["y"]["scale"]["type"] == "log"
    sizes = points["color"]["scale"]["domain"]

    at.selectbox(key="x").set_value("params")
    at.selectbox(key="color").set_value("run")
    at.toggle(key="logx").set_value(False)
    at.toggle(key="logy").set_value(False).run()
    calm(at)
    points = marks(spec(at), "point")[0]["encoding"]
    assert (points["x"]["field"], points["y"]["field"]) == ("params", "loss")
    assert points["x"]["scale"]["type"] == points["y"]["scale"]["type"] == "linear"
    assert "Parameters N" in points["x"]["title"]
    assert points["color"]["scale"]["domain"] != sizes
    assert url(at) == {**DEFAULTS, "x": "params", "color": "run", "logx": "0", "logy": "0"}

    at.selectbox(key="y").set_value("tokens").run()
    assert marks(spec(at), "point")[0]["encoding"]["y"]["field"] == "tokens"
    assert not marks(spec(at), "line"), "a law of loss has no place on a chart without loss"


def test_names_from_a_file_are_shown_as_they_are(open_page) -> None:
    lines = list(csv.reader(io.StringIO(ladder_csv())))
    for line, name in zip(lines[1:], NASTY, strict=False):
        line[0] = name
    lines = [[*line, "<i>group</i>" if i == 0 else f"<u>{i % 2}</u>"] for i, line in enumerate(lines)]
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    at = open_page()
    upload(at, ("<b>x</b> **y** $z$.csv", text.getvalue()))
    calm(at)
    assert set(NASTY) <= set(rows(at, "run")["run"])
    assert r"&lt;b&gt;x&lt;/b&gt; \*\*y\*\* \$z\$\.csv" in "\n".join(m.value for m in at.markdown)
    assert not any(m.allow_html for m in at.markdown)
    at.selectbox(key="color").set_value("<i>group</i>").run()
    calm(at)
    assert set(marks(spec(at), "point")[0]["encoding"]["color"]["scale"]["domain"]) == {"<u>0</u>", "<u>1</u>"}
    at.session_state["open_table"] = True
    calm(at.run())
    assert set(NASTY) <= set(at.dataframe[-1].value["run"])
