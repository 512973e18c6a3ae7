"""One run: several targets side by side, their rows written as they come."""

import datetime
import os
import platform
import queue
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bnspec import __version__
from bnspec.case import Case
from bnspec.data import SEED
from bnspec.environments import EnvironmentProblem, make
from bnspec.facts import probes
from bnspec.identify import Prepared, prepare
from bnspec.paths import suite_folder
from bnspec.process import WorkerProcess
from bnspec.results import SCHEMA_VERSION, Writer, one_line
from bnspec.runner import Driver, TargetFailed, Timeouts, judged, parse_seconds
from bnspec.suite import load_cases, select
from bnspec.targets import Target

Record = tuple[str, dict[str, Any]]
"""A results record, or `progress`: a target, what it is doing, how many verdicts it has."""

Selection = tuple[Sequence[Case], set[str], Prepared]
"""The cases to run, the ids to report, and what could be simulated ahead."""


class EmptySelection(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """An expression that selects no case."""


@dataclass
class Run:
    """The targets of a run. Their workers start first and import; the cases may come later.

    early: per target the worker process that was started before anything else was imported;
    probes: what is found out beside the cases, as facts;
    failed: per target that did not run or come to its end, what to say of it; written: whether the results
    file holds anything of this run.
    """

    targets: Sequence[Target]
    timeouts: Timeouts = field(default_factory=Timeouts)
    early: dict[str, WorkerProcess] = field(default_factory=dict)
    probes: Sequence[Case] = ()
    selection: Future[Selection] = field(default_factory=Future)
    drivers: list[Driver] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    written: bool = False

    def start(self, executor: Executor) -> Iterator[Record]:
        """Start every target on an executor; return the records of all as they come."""
        box: queue.Queue[Record | None] = queue.Queue()

        def work(target: Target) -> None:
            try:
                for record in self.records(target):
                    box.put(record)
            except Exception as fault:
                # A fault of ours must neither vanish in the executor nor take the other targets with it.
                if not self.stopped:
                    self.failed[target.name] = f"did not come to its end: {described(fault)}"
                    box.put(progress(target, "failed"))
            finally:
                box.put(None)

        for target in self.targets:
            # Python's parser, which reads it, keeps its depth in one place for all threads: asked here, kept there.
            with suppress(EnvironmentProblem):
                _ = target.environ
            executor.submit(work, target)
        return (record for _ in self.targets for record in iter(box.get, None))

    def records(self, target: Target) -> Iterator[Record]:
        """Make a target's environment, run the cases in it, and yield its records."""
        about = {
            "target": target.name,
            "environment": target.environment.name,
            "adapter": target.adapter,
            "device": target.device,
            "execution": target.execution or "default",
        }
        started = time.monotonic()
        try:
            if not target.environment.made:
                yield progress(target, "making the environment")
                make(target.environment, lambda: self.stopped)
            yield progress(target, "importing")
            driver = Driver(target, self.timeouts, self.early.pop(target.name, None), self.probes)
            self.drivers.append(driver)
            if self.stopped:  # by another thread, which may not have seen this driver
                driver.stop()
                return
            cases, reported, prepared = self.selection.result()
            driver.connect()
        except (EnvironmentProblem, TargetFailed) as problem:
            if self.stopped:
                return
            reason = one_line(str(problem))
            self.failed[target.name] = f"did not run: {reason}"
            yield "target", {**about, "failed": reason}
            yield "target-end", {"target": target.name, "counts": {}}
            yield progress(target, "failed")
            return
        counts: dict[str, int] = {}
        spent, announced = 0.0, False
        for row in judged(driver, cases, prepared):
            if self.stopped:
                return
            if not announced:
                announced = True
                yield "target", {**about, **worker_facts(driver)}
            if row.id in reported:
                counts[row.verdict] = counts.get(row.verdict, 0) + 1
                spent += row.seconds or 0.0
                yield "case", {"target": target.name, **row.as_json()}
                yield progress(target, "running", sum(counts.values()))
        if driver.failure:
            self.failed[target.name] = f"did not come to its end: {driver.failure}"
        times = {"adapter_seconds": spent + driver.facts_seconds, "wall_seconds": time.monotonic() - started}
        yield "target-end", {"target": target.name, "counts": counts, **times}
        yield progress(target, "done", sum(counts.values()))

    def stop(self) -> None:
        """Kill every worker; no further verdict is given."""
        self.stopped = True
        self.selection.cancel()
        for driver in self.drivers:
            driver.stop()
        for worker in self.early.values():
            worker.kill()


def described(fault: Exception) -> str:
    """Say where bnspec itself failed."""
    last = traceback.extract_tb(fault.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return one_line(f"a fault of bnspec at {where}: {type(fault).__name__}: {fault}")


def progress(target: Target, doing: str, verdicts: int = 0) -> Record:
    """Return a record for the display."""
    return "progress", {"target": target.name, "doing": doing, "verdicts": verdicts}


def worker_facts(driver: Driver) -> dict[str, Any]:
    """Return what a worker said of itself, as far as it is well-formed."""
    ready = driver.ready
    packages = ready.get("packages")
    return {
        "framework": str(ready.get("package", ""))[:200],
        "version": str(ready.get("version", ""))[:200],
        "execution": driver.target.execution or str((ready.get("executions") or ["default"])[0])[:200],
        "python": str(ready.get("python", ""))[:200],
        "packages": {str(k)[:200]: str(v)[:200] for k, v in packages.items()} if isinstance(packages, dict) else {},
        "import_seconds": parse_seconds(ready.get("import_seconds")),
        "facts": dict(driver.facts),
    }


def carry_out(run: Run, path: Path, *, jobs: int, expression: str | None) -> None:
    """Carry a run out and write its records to a results file.

    Shows progress. A selection of cases leaves the probes out. An interruption kills the workers, leaves what
    finished on disk without a footer, and goes on up. Raises EmptySelection where the expression selects
    nothing, SuiteError where a case breaks a rule.
    """
    run.probes = () if expression else probes()
    with ThreadPoolExecutor(max_workers=jobs) as executor:
        try:
            records = run.start(executor)
            cases, reported = select(load_cases(), expression)
            if not reported:
                raise EmptySelection(
                    f"-k {expression!r} selects nothing. Ids look like stats.stored-variance[rank4-last]; "
                    "give a part of one, such as -k frozen."
                )
            run.selection.set_result((cases, reported, prepare(cases)))
            # Imported while the workers import their frameworks.
            from bnspec.progress import Display

            with Writer(path) as writer, Display([target.name for target in run.targets]) as display:
                writer.write("run", **provenance(run, expression))
                for record, fields in records:
                    if record == "progress":
                        display.tell(**fields)
                    else:
                        writer.write(record, **fields)
                        run.written = writer.begun
        finally:
            # Ordinarily all is over by now; after an interruption or a fault nothing may go on.
            run.stop()
            executor.shutdown(cancel_futures=True)


def provenance(run: Run, expression: str | None) -> dict[str, Any]:
    """Return the fields of the run record."""
    return {
        "schema": SCHEMA_VERSION,
        "suite": __version__,
        "revision": revision(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": ["bnspec", *sys.argv[1:]],
        "selection": expression,
        "os": platform.platform(),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "seed": SEED,
        "targets": [target.name for target in run.targets],
        "cases": len(run.selection.result()[1]),
    }


def revision() -> str | None:
    """Return the git revision of the suite, or None in a wheel.

    It ends in `-dirty` where the package or the cases differ from it; the other files decide no verdict.
    """
    package, cases = Path(__file__).parent, suite_folder()
    if not (cases.parent / ".git").exists():
        return None
    try:
        status = subprocess.run(
            ["git", "status", "--porcelain=v2", "--branch", "--", str(package), str(cases)],
            cwd=cases, capture_output=True, text=True, timeout=10, check=True,
        ).stdout.splitlines()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    commit = status[0].removeprefix("# branch.oid ")
    return commit[:12] + ("-dirty" if any(not line.startswith("#") for line in status) else "")


def cpu_name() -> str:
    """Return the processor's name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
