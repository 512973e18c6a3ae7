"""Replicas in child processes: who answers, what a hang or a death costs, and that nothing is left behind."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from bnspec.worker import children
from bnspec.worker.adapter import Adapter
from bnspec.worker.loop import load_adapter, run

OfFour = load_adapter(f"{Path(__file__).parent / 'toy_replicas.py'}:OfFour")
TOY = sys.modules[OfFour.__module__]
OfOne, Four, One = TOY.OfOne, TOY.Four, TOY.One
SHARES = [np.float32([[n, n + 0.5]]) for n in range(4)]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """No children before, none after; a hang is one after a second."""
    monkeypatch.setattr(children, "STEP_SECONDS", 1.0)
    monkeypatch.setattr(children, "OTHERS_SECONDS", 0.5)
    yield
    for kind in (Four, One):
        if kind.children is not None:
            kind.children.kill()
        kind.children, kind.hung = None, {}
    assert not [p for p in psutil.Process().children(recursive=True) if "children import main" in " ".join(p.cmdline())]


def do(adapter, *steps, does="goes on", ranks=(), count=4, synchronised=True):
    """Run steps on replicas, each a name and its arrays; return the answer and its arrays."""
    arrays, asked = [], []
    for name, given in steps:
        asked.append({"do": name, "arrays": {n: len(arrays) + i for i, n in enumerate(given)}, "options": {}})
        arrays.extend(given.values())
    layer = {"does": does, "ranks": list(ranks)}
    job = {"layer": layer, "steps": asked, "replicas": {"count": count, "synchronised": synchronised}}
    return run(adapter, job, arrays, {})


def train(count=4):
    return "train_shares", {f"x{n}": share for n, share in enumerate(SHARES[:count])}


@pytest.mark.parametrize("count", [2, 4])
def test_every_rank_gets_its_share_and_its_state(count):
    write = "set_state", {"mean": np.float32([1, 2])}
    answer, arrays = do(OfFour, write, train(count), ("get_shares", {}), count=count)
    assert [sorted(step["arrays"]) for step in answer["steps"]] == [
        [],
        sorted(f"{name}{n}" for name in ("y", "dx") for n in range(count)),
        [f"mean{n}" for n in range(count)],
    ]
    for n in range(count):
        np.testing.assert_array_equal(arrays[answer["steps"][1]["arrays"][f"y{n}"]], SHARES[n] + 10 * n)
        np.testing.assert_array_equal(arrays[answer["steps"][2]["arrays"][f"mean{n}"]], [1 + n, 2 + n])


def test_one_process_may_hold_all_replicas_and_is_kept_for_the_next_case():
    pids = set()
    for _ in range(2):
        answer, arrays = do(OfOne, ("infer_shares", {f"x{n}": np.zeros(1) for n in range(4)}))
        assert sorted(answer["steps"][0]["arrays"]) == ["y0", "y1", "y2", "y3"]
        pids |= {int(array[0]) for array in arrays}
    assert len(pids) == 1


def test_nothing_is_started_before_a_case_asks():
    do(OfFour)
    assert Four.children is not None
    assert One.children is None


def test_a_hang_is_a_timeout_of_its_case_and_is_not_tried_again():
    answer, _ = do(OfFour, train(), does="hangs", ranks=[2])
    assert answer["status"] == "timeout"
    assert answer["reason"] == "the replicas did not finish train within 1 s; they were killed"
    again, _ = do(OfFour, train())
    assert again["status"] == "not-run"
    assert again["reason"].startswith("not tried again, for in an earlier case the replicas did not finish")
    assert Four.children is None
    other, _ = do(OfFour, train(), synchronised=False)
    assert other["status"] == "ran"


def test_a_death_costs_its_case_alone():
    answer, _ = do(OfFour, train(), does="dies", ranks=[1])
    assert (answer["status"], answer["reason"]) == ("crash", "replica 1 ended during train")
    assert do(OfFour, train())[0]["status"] == "ran"


@pytest.mark.parametrize("ranks", [[0, 1, 2, 3], [3]])
def test_what_a_replica_raises_is_an_observation(ranks):
    answer, _ = do(OfFour, train(), does="raises", ranks=ranks)
    text = f"replica {ranks[0]} does not go on"
    assert answer["steps"][0] == {"error": {"class": "ArithmeticError", "text": text}}


def test_one_that_raises_while_the_others_wait_for_it_is_told_and_they_are_killed():
    answer, _ = do(OfFour, train(), does="raises or hangs", ranks=[0, 1, 2, 3])
    assert answer["steps"][0]["error"]["class"] == "ArithmeticError"
    assert Four.children is None
    assert do(OfFour, train())[0]["status"] == "ran"


def test_an_adapter_at_fault_and_one_without_words_are_told_apart():
    answer, _ = do(OfFour, train(), does="has no words", ranks=[0, 1, 2, 3])
    assert (answer["status"], answer["reason"]) == ("unsupported", "there is no such share")
    answer, _ = do(OfFour, train(), does="is wrong", ranks=[0, 1, 2, 3])
    assert answer["status"] == "error"
    assert "toy_replicas.py" in answer["reason"]


def test_what_does_not_start_is_not_started_again(monkeypatch):
    monkeypatch.setattr(Four, "path", "no.such.module:Toy")
    answer, _ = do(OfFour, train())
    assert answer["status"] == "crash"
    assert re.fullmatch(r"replica \d ended during the start", answer["reason"])
    for synchronised in (True, False):
        again, _ = do(OfFour, train(), synchronised=synchronised)
        assert again["status"] == "not-run"
        assert again["reason"] == f"not tried again, for in an earlier case {answer['reason']}"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child that hangs outlives a worker that was killed")
def test_children_that_hang_die_with_the_worker():
    program = (
        "import sys; from bnspec.worker import children; from bnspec.worker.loop import load_adapter\n"
        "four = load_adapter(sys.argv[1]).replicas()\n"
        "how = dict(count=4, synchronised=True, execution='eager', device='cpu')\n"
        "replicas = four({'does': 'hangs', 'ranks': [0, 1, 2, 3]}, **how)\n"
        "print('ready', flush=True); replicas.train([0, 1, 2, 3])\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", program, f"{Path(__file__).parent / 'toy_replicas.py'}:OfFour"], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"ready\n"
    started = psutil.Process(worker.pid).children(recursive=True)
    assert len(started) == 5  # the one that they were forked from, and four
    worker.kill()
    worker.wait()
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive


def test_an_ordinary_adapter_has_no_replicas():
    answer, _ = do(Adapter, train())
    assert answer["status"] == "unsupported"
    assert "no replicas" in answer["reason"]
