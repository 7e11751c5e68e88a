"""Train and Devices without a browser: a form that plans, a queue that is shown, a ladder that has grown its law."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from app_helpers import calm, go, marks, rows, spec, url, words

from scaling_core.errors import UserError
from scaling_core.jobs import Queue
from scaling_core.jobs.index import Index
from scaling_core.jobs.model import JobRequest
from scaling_core.jobs.submit import keep_text
from scaling_core.runs import UploadStore
from scaling_core.training.asked import Asked, plan_asked, read_amount, read_runs
from scaling_core.training.folder import CHECKPOINT_VERSION, RunFolder
from scaling_core.training.forecast import verdict, write_forecast
from scaling_core.training.ladder import Ladder, to_meta
from scaling_core.training.speed import SUPPOSED
from scaling_core.units import format_number, format_percent

#: The law that the made runs follow, and how far the held-back run is off it.
E, A, B, ALPHA, BETA = 1.2, 60.0, 400.0, 0.45, 0.42
SURPRISE = 1.02


def loss(params: float, tokens: float) -> float:
    return E + A / params**ALPHA + B / tokens**BETA


@pytest.fixture(scope="module")
def plan() -> Ladder:
    return plan_asked(Asked(task="markov", name="made"), SUPPOSED, 2)


def finish(folder: Path, ladder: Ladder, name: str, factor: float = 1.0) -> None:
    """What a worker would have left of a run, without training it."""
    rung = next(r for r in ladder.runs if r.name == name)
    run = RunFolder(folder / name)
    tokens = rung.spec.tokens
    lines = [{"step": s, "tokens": tokens * s // 8, "loss": loss(rung.params, tokens * s / 8)} for s in range(1, 9)]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run.finish({"run": name, "n_params": rung.params, "tokens": tokens, "unique_tokens": tokens,
                "flops": tokens * rung.flops_per_token, "flops_6nd": 6.0 * rung.params * tokens, "steps": 8,
                "loss": factor * loss(rung.params, tokens), "width": rung.spec.model.width,
                "shape": asdict(ladder.facts.shape), "checkpoint_version": CHECKPOINT_VERSION})  # fmt: skip


def made(home: Path, ladder: Ladder, *, ended: int | None = None) -> int:
    """A ladder in the queue whose first runs have ended; all of them, with forecast and verdict, unless told."""
    queue = Queue(home)
    number = queue.add_ladder("made", [JobRequest(**vars(j)) for j in ladder.requests()], meta=to_meta(ladder))
    folder = queue.ladder(number).folder
    names = [r.name for r in ladder.runs if r.role == "run"][:ended]
    for name in names:
        finish(folder, ladder, name)
    if ended is None:
        write_forecast(folder)
        finish(folder, ladder, ladder.test.name, SURPRISE)
    index = Index(home)
    for job in queue.jobs(number):
        if ended is None or job.name in names:
            index.become(job, "done", "ended well", progress=1.0)
    index.close()
    return number


def test_before_the_first_ladder_the_page_says_what_to_do_and_draws_what_it_would_take(open_page) -> None:
    at = calm(open_page("train", task="markov"))
    assert "No ladder has been trained here" in words(at.info)
    assert "12 runs" in words(at.markdown)
    assert len(rows(at, "run")) == 12
    assert (rows(at, "run")["role"] == "test").sum() == 1
    assert at.button(key="launch").label == "Launch 12 runs"
    assert at.button(key="time_machine").label.startswith("Time this machine first")


def test_what_is_asked_for_stands_in_the_link(open_page) -> None:
    at = calm(open_page("train", task="markov"))
    at.segmented_control(key="way").set_value("custom").run()
    at.text_input(key="amount").set_value("10 min").run()
    at.number_input(key="grid_sizes").set_value(3).run()
    asked = url(calm(at))
    assert {"task": "markov", "way": "custom", "amount": "10 min", "grid_sizes": "3"}.items() <= asked.items()
    assert "12 runs" in words(at.markdown)  # 3 sizes at 4 budgets
    again = calm(open_page("train", **asked))
    assert rows(again, "run").equals(rows(at, "run"))


def test_an_amount_that_is_none_is_said_beside_the_form(open_page) -> None:
    at = open_page("train", task="markov", way="custom", amount="soon")
    assert "“soon” is no time and no FLOPs" in words(at.error)
    assert "launch" not in {b.key for b in at.button}


def test_a_text_of_ones_own_is_asked_for_then_planned(open_page, workspace: Path) -> None:
    at = calm(open_page("train", task="text"))
    assert "Upload a text" in words(at.info)
    workspace.mkdir(exist_ok=True)
    path = keep_text(workspace, "a book.txt", b"all happy families are alike; " * 4000)
    at.text_input(key="text").set_value(str(path)).run()
    calm(at)
    assert "12 runs" in words(at.markdown)
    at.text_input(key="text").set_value("/nowhere/at/all").run()
    assert "no such file" in words(at.error)


def test_runs_asked_for_by_a_plan_become_a_ladder(open_page) -> None:
    at = calm(open_page("train", task="markov", way="runs", asked_runs="33000:1e6,95000:2e6"))
    planned = rows(at, "run")
    assert planned["params"].tolist() == pytest.approx([33000, 95000], rel=0.2)
    assert planned["tokens"].tolist() == pytest.approx([1e6, 2e6], rel=0.01)
    far = open_page("train", task="markov", way="runs", asked_runs="7e10:1.4e12")
    assert "comes near 7e+10 parameters" in words(far.error)


def test_the_next_experiments_of_a_plan_lead_to_train(open_page, workspace, plan) -> None:
    made(workspace, plan)
    at = calm(open_page("train", task="markov"))
    at.button(key="carry_plan").click().run()
    state = {**url(at), "closer": "next", "budget": "1e15", "experiment_budget": "1e13"}
    at = open_page("plan", **state)
    at.button(key="train_next_experiments").click().run()
    assert at.session_state["way"] == "runs"
    assert read_runs(at.session_state["asked_runs"])


def test_a_price_makes_the_estimate_a_cost(open_page) -> None:
    at = calm(open_page("train", task="markov", slot_price="2"))
    assert "$0.1" in words(at.markdown)  # 2 minutes of 2 places at $2/h


def test_a_ladder_that_has_ended_shows_its_law_its_verdict_and_the_entropy(open_page, workspace, plan) -> None:
    number = made(workspace, plan)
    at = calm(open_page("train", task="markov"))
    said = words(at.markdown)
    assert "of 11 runs" in said
    judged = verdict(Queue(workspace).ladder(number).folder)
    inside = "right within its interval" if judged.inside else "outside its interval"
    assert f"came **{format_number(judged.actual, 4)}**: {inside}, off by {format_percent(abs(judged.off))}" in said
    assert judged.off == pytest.approx(1 / SURPRISE - 1, abs=0.005)  # the law itself is found
    assert "The source's entropy is" in said
    assert "by the first 6 runs that ended" in said
    charts = [spec(at, i) for i in range(len(at.get("vega_lite_chart")))]
    assert len(charts) == 4  # the plan, the law, the runs, the curves
    assert any(marks(c, "area") for c in charts)
    assert [p.proto.text for p in at.get("progress")] == ["17 of 17 jobs done"]


def test_while_it_grows_runs_to_come_are_rings(open_page, workspace, plan) -> None:
    made(workspace, plan, ended=7)
    at = calm(open_page("train", task="markov"))
    rings = rows(at, "interval", 1)
    assert len(rings) == 5
    assert set(rings["run"]) == {r.name for r in plan.runs} - {
        r.name for r in [r for r in plan.runs if r.role == "run"][:7]
    }
    assert "Nobody sees to this queue now" in words(at.markdown)


def test_its_runs_are_carried_to_the_law_in_one_click(open_page, workspace, plan) -> None:
    made(workspace, plan)
    at = calm(open_page("train", task="markov"))
    at.button(key="carry_law").click().run()
    calm(at)
    carried = url(at)["runs"]
    text = UploadStore(workspace).get(carried).data.decode()
    assert text.count("\n") == 13  # a header and 12 runs
    go(at, "law")
    assert "What curve do these runs follow" in words(at.markdown)
    assert "12 runs" in words(calm(at).markdown)


def test_jobs_are_paused_and_cancelled_from_the_page(open_page, workspace, plan) -> None:
    number = made(workspace, plan, ended=11)
    at = calm(open_page("train", task="markov"))
    at.button(key="jobs_Cancel").click().run()
    calm(at)
    assert {job.state for job in Queue(workspace).jobs(number)} == {"done", "cancelled"}


def test_several_ladders_can_be_chosen_and_the_link_says_which(open_page, workspace, plan) -> None:
    first, second = made(workspace, plan), made(workspace, plan, ended=7)
    at = calm(open_page("train", task="markov"))
    assert url(at)["ladder"] == str(second)
    at.selectbox(key="ladder").set_value(first).run()
    assert url(calm(at))["ladder"] == str(first)
    assert "came" in words(at.markdown)


def with_weights(home: Path, number: int) -> str:
    """Let every run of a made ladder have weights, as far as a page can tell; returns what a link calls the largest."""
    for job in Queue(home).jobs(number):
        if job.kind == "train":
            job.run.last.write_bytes(b"weights")
    largest = Queue(home).jobs(number)[-2]
    return f"{largest.folder.parent.name}/{largest.name}"


def test_a_finished_run_is_continued_from_with_its_size_and_other_data(open_page, workspace, plan) -> None:
    name = with_weights(workspace, made(workspace, plan))
    at = calm(open_page("train", task="shapes"))
    assert at.selectbox(key="start_from").value == ""
    at.selectbox(key="start_from").set_value(name).run()
    calm(at)
    assert at.selectbox(key="task").value == "stdlib"  # a decoder has no use for images
    at.selectbox(key="task").set_value("markov").run()
    at.segmented_control(key="way").set_value("tokens").run()
    at.text_input(key="tune_tokens").set_value("65536, 131072").run()
    calm(at)
    dots = rows(at, "run")
    assert dots["tokens"].tolist() == [65_536, 131_072]
    assert dots["params"].nunique() == 1
    assert set(dots["role"]) == {"tuned"}
    assert at.button(key="launch").label == "Launch 2 runs"
    said = words(at.markdown) + words(at.caption)
    assert f"from {name.rpartition('/')[2]}" in said
    assert "these runs are no points of one" in said
    asked = url(at)
    assert {"start_from": name, "way": "tokens", "tune_tokens": "65536, 131072"}.items() <= asked.items()
    assert rows(calm(open_page("train", **asked)), "run").equals(dots)
    gone = calm(open_page("train", task="markov", start_from="nobody/knows"))
    assert "is no finished run of this workspace" in words(gone.warning)
    assert "start_from" not in url(gone)


def test_a_fine_tuning_ladder_shows_its_losses_apart_from_any_law(open_page, workspace, plan) -> None:
    name = with_weights(workspace, made(workspace, plan))
    base = str(workspace / "ladders" / name)
    ladder = plan_asked(Asked(way="tokens", task="markov", start=base, tokens=(65_536.0, 131_072.0)), SUPPOSED, 2)
    queue = Queue(workspace)
    number = queue.add_ladder("tuned", [JobRequest(**vars(j)) for j in ladder.requests()], meta=to_meta(ladder))
    at = calm(open_page("train", task="markov"))
    assert "Points appear here as runs end" in words(at.info)
    index = Index(workspace)
    for job, tokens, came in zip(queue.jobs(number)[1:], (65_536, 131_072), (2.0, 1.8), strict=True):
        job.run.finish({"run": job.name, "n_params": 1000, "tokens": tokens, "flops": 6e3 * tokens, "loss": came,
                        "steps": 8, "tuned_from": {"run": name.rpartition("/")[2], "before": 2.4}})  # fmt: skip
        index.become(job, "done", "ended well", progress=1.0)
    index.close()
    at = calm(open_page("train", task="markov"))
    said = words(at.markdown)
    assert "Loss against fine-tuning tokens" in said
    assert "had a loss of **2.400**; it is **1.800** after 131k tokens, 25% lower" in said
    assert "Left out of the law: 2 runs" in words(at.caption)
    assert rows(at, "before", 1)["before"].tolist() == [2.4], "one rule: both began alike"
    table = next(d.value for d in at.dataframe if "job" in d.value)
    assert set(table["from"]) == {name.rpartition("/")[2]}
    assert "carry_plan" not in {b.key for b in at.button}
    at.button(key="carry_runs").click().run()
    carried = url(calm(at))["runs"]
    assert UploadStore(workspace).get(carried).data.decode().count(",fine-tune,") == 2
    assert "left out of the law" in words(open_page("runs", runs=carried).caption)


def test_devices_says_what_there_is_and_keeps_limits(open_page, workspace) -> None:
    at = calm(open_page("devices"))
    assert {m.label for m in at.metric} == {"Cores", "Memory", "GPUs", "Disk", "Workspace"}
    assert "Not measured yet" in words(at.markdown)
    at.number_input(key="limit_slots").set_value(3)
    next(b for b in at.button if b.label == "Keep" and "limits" in (b.form_id or "limits")).click().run()
    calm(at)
    assert Queue(workspace).limits.slots == 3


def test_the_web_process_never_loads_torch(root: Path, workspace: Path) -> None:
    script = (
        "import sys\nfrom streamlit.testing.v1 import AppTest\n"
        "for page in ('train', 'devices'):\n"
        "    at = AppTest.from_file('app.py', default_timeout=60).switch_page(f'pages/views/{page}.py').run()\n"
        "    assert not at.exception and not at.error, (at.exception, at.error)\n"
        "assert 'torch' not in sys.modules, 'torch was loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(("text", "kind", "amount"), [("20 min", "seconds", 1200.0), ("1h", "seconds", 3600.0),
                                                      ("1e14", "flops", 1e14)])  # fmt: skip
def test_an_amount_is_a_time_or_flops(text: str, kind: str, amount: float) -> None:
    assert read_amount(text) == (kind, amount)


def test_runs_in_a_link_are_read_or_refused() -> None:
    assert read_runs("95000:1e6,213000:2e6") == ((95000.0, 1e6), (213000.0, 2e6))
    for wrong in ("95000", "a:b", "1:-2"):
        with pytest.raises(UserError, match="no list of runs"):
            read_runs(wrong)
