"""The fingerprint of an implementation that nobody described, by the real command: a verdict and a number on each.

Its stored variance is 1.3·v·N/(N−1) + 0.05; its output has twice the ε and 3 % more on the scale; its gradient has
half of the mean's term.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bnspec.results import FINDINGS
from bnspec.spec import AXES

STRANGER = """

class Unknown(BatchNorm):
    def update(self, mean, variance, n):
        corrected = variance * np.float32(n / (n - 1)) if n > 1 else variance
        super().update(mean, np.float32(1.3) * corrected + np.float32(0.05), n)

    def normalise(self, x, mean, variance):
        self.r = 1 / np.sqrt(variance + 2 * self.epsilon)
        self.xhat = (x - mean) * self.r
        return np.float32(1.03) * self.scale * self.xhat + self.offset

    def backward(self, dy):
        n = dy.size // dy.shape[-1]
        doffset, dscale = rows(dy).sum(axis=1), rows(dy * self.xhat).sum(axis=1)
        if self.training:
            dy = dy - np.float32(0.5) * doffset / n - self.xhat * (dscale / n)
        scale = np.float32(1.03)
        return {"x": scale * self.scale * self.r * dy, "scale": scale * dscale, "offset": doffset}


class Adapted(Layer):
    def __init__(self, layer, **options):
        super().__init__(layer, **options)
        self.bn.__class__ = Unknown
"""


@pytest.fixture(scope="module")
def done(page_file, tmp_path_factory):
    """What the command did: the process, and the rows by id."""
    folder = tmp_path_factory.mktemp("unknown")
    file, stream = folder / "unknown.py", folder / "unknown.jsonl"
    file.write_text(page_file.read_text("utf-8") + STRANGER, "utf-8")
    program = Path(sys.executable).with_name("bnspec")
    command = [str(program), "run", "numpy", "--adapter", f"{file}:Adapted", "-o", str(stream)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    records = [json.loads(line) for line in stream.read_text("utf-8").splitlines()]
    return process, {record["id"]: record for record in records if record["record"] == "case"}


def said(rows, identifier):
    """The message of a case that must be violated."""
    assert rows[identifier]["verdict"] == "violates", rows[identifier]
    return rows[identifier]["message"]


def number(pattern, text):
    """The number that stands in a text, in the place of the group."""
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return float(found[1])


def test_it_is_judged_to_its_end_without_a_word_of_numpys(done):
    process, rows = done
    assert process.returncode == 1, process.stderr
    assert "Warning" not in process.stderr
    assert "Traceback" not in process.stderr
    assert not {row["verdict"] for row in rows.values()} & {"error", "crash", "timeout", "not-run"}


def test_every_axis_of_the_layer_is_asked(done):
    _, rows = done
    assert {identifier.partition("[")[0] for identifier in rows} >= set(AXES)


def test_what_is_not_wrong_is_decided_beside_what_is(done):
    _, rows = done
    for axis, variant in (
        ("stats.momentum-weight", "old"),
        ("stats.averaging", "exponential"),
        ("stats.initial", "zero-one"),
    ):
        for place in ("rank2", "rank3-last", "rank4-last", "rank5-last"):
            row = rows[f"{axis}[{place}]"]
            assert (row["verdict"], row["variant"]) == ("conforms", variant), row


def test_what_is_blocked_says_by_what(done):
    _, rows = done
    blocked = [row for row in rows.values() if row["verdict"] == "blocked"]
    assert blocked
    assert all(re.fullmatch(r"depends on (\S+), which was not decided", row["message"]) for row in blocked)
    axes = {row["message"].split()[2].partition("[")[0] for row in blocked}
    reason = {axis: {row["verdict"] for i, row in rows.items() if i.startswith(f"{axis}[")} for axis in axes}
    assert all(verdicts & FINDINGS for verdicts in reason.values()), reason
    assert any(verdicts & {"violates"} for verdicts in reason.values()), reason


def test_the_variance_has_its_factor_and_its_offset(done):
    _, rows = done
    for place in ("rank2", "rank4-last"):
        message = said(rows, f"stats.stored-variance[{place}]")
        assert number(r"a factor of (\S+) on v", message) == pytest.approx(1.3 * 2, rel=1e-4)  # N is 2
        assert number(r"on v and an offset of ([\d.e-]+)", message) == pytest.approx(0.05, rel=1e-2)
        assert "moving mean = 0.75·old + 0.25·m" in message


def test_the_output_has_its_factor_and_its_epsilon(done):
    _, rows = done
    for identifier in ("forward.training[rank2]", "forward.training[rank4-last]", "forward.inference[rank2]"):
        message = said(rows, identifier)
        assert number(r"the slope is (\S+)·scale", message) == pytest.approx(1.03, rel=1e-3)
        assert number(r"the ε in effect is ([\d.e-]+)", message) == pytest.approx(0.002, rel=1e-2)


def test_the_gradient_has_its_coefficients(done):
    _, rows = done
    coefficients = r"dx = scale·r·\((\S+)·dy \+ (\S+)·mean\(dy\) \+ (\S+)·x̂·mean\(dy·x̂\)\)"
    for identifier in ("gradient.statistics[rank2]", "gradient.training[rank4-last]"):
        found = re.search(coefficients, said(rows, identifier))
        p, q, s = map(float, found.groups())
        assert (p, q / p, s / p) == pytest.approx((1.03, -0.5, -1), abs=2e-3)
