"""A stranger through the real command: the verdicts are those of this process, and the exit status is 1."""

import json
import subprocess
import sys
from pathlib import Path

STRANGER = """

class Biased(BatchNorm):
    def update(self, mean, variance, n):
        super().update(mean, variance * 3 / 2, n)


class Adapted(Layer):
    def __init__(self, layer, **options):
        super().__init__(layer, **options)
        self.bn.__class__ = Biased
"""


def test_a_stranger_is_found_by_the_command(page_file, tmp_path):
    file, stream = tmp_path / "strange.py", tmp_path / "strange.jsonl"
    file.write_text(page_file.read_text("utf-8") + STRANGER, "utf-8")
    program = Path(sys.executable).with_name("bnspec")
    command = [
        str(program),
        "run",
        "numpy",
        "--adapter",
        f"{file}:Adapted",
        "-k",
        "stats.stored-variance[rank2 or stats.averaging[rank2 or stats.momentum-weight[rank2",
        "-o",
        str(stream),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    records = [json.loads(line) for line in stream.read_text("utf-8").splitlines()]
    rows = {record["id"]: record for record in records if record["record"] == "case"}
    assert rows["stats.stored-variance[rank2]"]["verdict"] == "violates"
    assert "a factor of 1.5 on v" in rows["stats.stored-variance[rank2]"]["message"]
    assert rows["stats.averaging[rank2]"]["variant"] == "exponential"
    assert rows["stats.momentum-weight[rank2]"]["variant"] == "old"
    assert "stats.stored-variance[rank2]" in done.stdout
