"""One run: several targets side by side, their rows written as they come."""

import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bnspec.answers import parse_seconds
from bnspec.case import Case
from bnspec.claims import claims
from bnspec.driver import Driver, LackingExecution, TargetFailed, Timeouts
from bnspec.environments import EnvironmentProblem
from bnspec.equivalence import Answers
from bnspec.facts import probes
from bnspec.process import WorkerProcess
from bnspec.provenance import provenance
from bnspec.results import one_line
from bnspec.rivals import Prepared
from bnspec.runner import judged
from bnspec.sharing import Seats, SharingDriver
from bnspec.streams import Streams
from bnspec.suite import load_cases, select
from bnspec.supply import Supply, described
from bnspec.targets import Target, files_of

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
    probes: what is found out beside the cases, as facts; discard: whether to remove the environments that are made;
    large: whether the layers of real networks are among the cases; failed: per target that did not run or come to its
    end, what to say of it; lacking: those of them whose build or device cannot run their execution; written: the
    results files that hold anything of this run; judging: whether a target has shown something; known: the answers of
    targets that an earlier run finished; answers: those of default executions, as soon as they are known; seats: of
    the workers.
    """

    targets: Sequence[Target]
    timeouts: Timeouts = field(default_factory=Timeouts)
    early: dict[str, WorkerProcess] = field(default_factory=dict)
    discard: bool = False
    large: bool = False
    probes: Sequence[Case] = ()
    selection: Future[Selection] = field(default_factory=Future)
    drivers: list[SharingDriver] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)
    stopped: bool = False
    judging: bool = False
    known: Mapping[str, Answers] = field(default_factory=dict)
    answers: dict[str, Future[Answers | None]] = field(default_factory=dict)
    seats: Seats = field(default_factory=Seats)
    written: Sequence[Path] = ()

    def start(self, executor: Executor, supplier: Executor, supply: Supply) -> Iterator[Record]:
        """Start every target on an executor as its environment is ready; return the records of all as they come.

        supplier: where the environments are made.
        """
        self.answers = {target.name: Future() for target in self.targets if target.execution is None}
        for name, answers in self.known.items():
            self.answers[name] = Future()
            self.answers[name].set_result(answers)
        box: queue.Queue[Record | None] = queue.Queue()

        def work(target: Target, problem: str) -> None:
            self.seats.begin()
            try:
                for record in self.records(target, problem):
                    box.put(record)
            except Exception as fault:
                # A fault of ours must neither vanish in the executor nor take the other targets with it.
                if not self.stopped:
                    self.failed[target.name] = f"did not come to its end: {described(fault)}"
                    box.put(progress(target, "failed"))
            finally:
                self.seats.leave()
                supply.done(target)
                self.know(target, None)
                box.put(None)

        def hand_out() -> None:
            for targets, problem in supply.ready(lambda target: box.put(progress(target, "making the environment"))):
                for target in targets:
                    executor.submit(work, target, problem)

        for target in self.targets:
            # Python's parser, which reads it, keeps its depth in one place for all threads: asked here, kept there.
            with suppress(EnvironmentProblem):
                _ = target.environ
        supplier.submit(hand_out)
        return (record for _ in self.targets for record in iter(box.get, None))

    def records(self, target: Target, problem: str) -> Iterator[Record]:
        """Run the cases on a target and yield its records. problem: why its environment could not be made."""
        about = {
            "target": target.name,
            "environment": target.environment.name,
            "adapter": target.adapter,
            "device": target.device,
            "execution": target.execution or "default",
        }
        started = time.monotonic()
        if self.stopped:
            return
        try:
            if problem:
                raise EnvironmentProblem(problem)
            yield progress(target, "importing")
            early = self.early.pop(target.name, None)
            driver = SharingDriver(target, self.timeouts, self.seats, early, self.probes)
            self.drivers.append(driver)
            if self.stopped:  # by another thread, which may not have seen this driver
                driver.stop()
                return
            cases, reported, prepared = self.selection.result()
            driver.connect()
        except (EnvironmentProblem, TargetFailed) as failure:
            if self.stopped:
                return
            reason = one_line(str(failure))
            self.failed[target.name] = f"did not run: {reason}"
            if isinstance(failure, LackingExecution):
                self.lacking.add(target.name)
            yield "target", {**about, "failed": reason}
            yield "target-end", {"target": target.name, "counts": {}}
            yield progress(target, "failed")
            return
        counts: dict[str, int] = {}
        spent, announced = 0.0, False
        for row in judged(driver, cases, prepared, base=lambda: self.of_default(target)):
            if self.stopped:
                return
            self.judging = True
            if driver.answers is not None:
                self.know(target, driver.answers)
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
        times: dict[str, Any] = {
            "adapter_seconds": spent + driver.facts_seconds,
            "wall_seconds": time.monotonic() - started,
        }
        if driver.compilations is not None:
            times["compilations"] = driver.compilations
        if driver.workers > 1:
            times["workers"] = driver.workers
        yield "target-end", {"target": target.name, "counts": counts, **times}
        yield progress(target, "done", sum(counts.values()))

    def know(self, target: Target, answers: Answers | None) -> None:
        """Note the answers of a target, for its other executions; the first that are noted count."""
        with suppress(KeyError, InvalidStateError):
            self.answers[target.name].set_result(answers)

    def of_default(self, target: Target) -> Answers | None:
        """Return the answers of a target's default execution when they are known; None where they will not be."""
        known = self.answers.get(replace(target, execution=None).name)
        return None if known is None or self.stopped else known.result()

    def stop(self) -> None:
        """Kill every worker; no further verdict is given."""
        self.stopped = True
        self.selection.cancel()
        for known in self.answers.values():
            with suppress(InvalidStateError):
                known.set_result(None)
        for driver in self.drivers:
            driver.stop()
        for worker in self.early.values():
            worker.kill()


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
        "facts": {**driver.facts, **executions_of(driver)},
    }


def executions_of(driver: Driver) -> dict[str, Any]:
    """Return, where an adapter has several executions, which of them this build and device can run, as a fact."""
    executions, lacking = driver.ready.get("executions"), driver.ready.get("lacking")
    if not isinstance(executions, list) or len(executions) < 2 or not isinstance(lacking, dict):
        return {}
    return {"executions": {str(e)[:200]: one_line(str(lacking.get(e, "can run")))[:500] for e in executions[:100]}}


def carry_out(
    run: Run, output: Path, *, jobs: int, expression: str | None, counts: Mapping[str, int] | None = None
) -> None:
    """Carry a run out and write its records to a results file, or to one for each target in a folder.

    Shows progress. A selection of cases leaves the probes out. An interruption kills the workers, leaves what
    finished on disk without a footer, and goes on up. counts: of the verdicts that the file has, where the run goes
    on with an earlier one. Raises EmptySelection where the expression selects nothing, SuiteError where a case
    breaks a rule.
    """
    run.probes = () if expression else probes()
    run.seats = Seats(jobs, len(run.targets))
    supply = Supply(run.targets, jobs=jobs, discard=run.discard, stopped=lambda: run.stopped)
    with ThreadPoolExecutor(max_workers=jobs) as executor, ThreadPoolExecutor(max_workers=1) as supplier:
        try:
            records = run.start(executor, supplier, supply)
            claims()  # their faults, like those of the cases, are told before anything is judged
            cases, reported = select(load_cases(large=run.large), expression)
            if not reported:
                raise EmptySelection(
                    f"-k {expression!r} selects nothing. Ids look like stats.stored-variance[rank4-last]; "
                    "give a part of one, such as -k frozen."
                )
            prepared = Prepared(cases)
            run.selection.set_result((cases, reported, prepared))
            prepared.ahead(lambda: run.judging)
            # Imported while the workers import their frameworks.
            from bnspec.progress import Display

            head = provenance([target.name for target in run.targets], len(reported), expression, large=run.large)
            with Streams(files_of(output, run.targets), head, counts) as streams, Display(len(run.targets)) as display:
                for record, fields in records:
                    if record == "progress":
                        display.tell(**fields)
                    else:
                        streams.write(record, **fields)
                        run.written = streams.begun
        finally:
            # Ordinarily all is over by now; after an interruption or a fault nothing may go on.
            run.stop()
            supplier.shutdown()
            executor.shutdown(cancel_futures=True)
            supply.close()
