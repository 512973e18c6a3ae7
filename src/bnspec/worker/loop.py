"""The worker's main loop: take the pipes, load the adapter, run programs until the pipe closes."""

import functools
import json
import os
import platform
import signal
import sys
import time
import traceback
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import numpy as np

from bnspec.worker import calls, replicas, spares
from bnspec.worker.adapter import Trainer, Unsupported
from bnspec.worker.frames import BFLOAT16, TRAVELLING, Decoder, Frame, encode
from bnspec.worker.lost import Lost, check_memory

OURS = (NameError, AttributeError, ImportError, LookupError)
"""Raised in the adapter's own lines, these are faults of the adapter, not observations."""

MODES = {"train": "train", "attempt": "train", "infer": "infer", "call": None}
"""Steps that call the layer, and the mode that they say."""

TEXT_LIMIT = 2000
PR_SET_PDEATHSIG = 1


def main(started: float) -> None:
    """Answer frames until the host closes the pipe. Frames come on fd 0 and go to fd 1, which we keep.

    started: the performance counter before anything was imported; NumPy and the framework come after it.
    """
    die_with_host()
    source, sink = take_pipes()
    frames = read_frames(source)
    hello, _ = next(frames)
    serve = serve_calls if "function" in hello else serve_programs
    serve(hello, frames, source, sink, started)


def serve_calls(hello: Mapping[str, Any], frames: Iterator[Frame], source: int, sink: int, started: float) -> None:
    """Call the function that the host names, once per frame."""
    try:
        function = calls.load(hello["function"])
        packages = installed_packages()
        ready = {"event": "ready", "packages": packages, "python": platform.python_version()}
    except Exception as error:
        send(sink, dict(shown_error(error), event="failed", trace=traceback.format_exc()[-TEXT_LIMIT:]))
        return
    send(sink, dict(ready, import_seconds=time.perf_counter() - started))
    for header, arrays in frames:
        given_back, results = calls.answer(function, header, arrays)
        send(sink, given_back, results)


def serve_programs(hello: Mapping[str, Any], frames: Iterator[Frame], source: int, sink: int, started: float) -> None:
    """Run programs on the layers of the adapter that the host names."""
    spare, threads = None, spares.threads()
    try:
        adapter = load_adapter(hello["adapter"])
        if spares.wanted(adapter, hello["device"]):
            serve = functools.partial(answer_frames, adapter, hello)
            forks = spares.SPARES if spares.threads() == threads else 0
            waiting = [spares.forked(serve, (source, sink)) for _ in range(forks)]
            spare = spares.Spares(waiting, functools.partial(spares.started, hello))
        ready = {"event": "ready", "import_seconds": time.perf_counter() - started}
        ready.update(describe(adapter), device=has_device(adapter, hello["device"]))
        ready["lacking"] = lacking(adapter, hello["device"]) if ready["device"] else {}
    except Exception as error:
        send(sink, dict(shown_error(error), event="failed", trace=traceback.format_exc()[-TEXT_LIMIT:]))
        return
    send(sink, ready)
    for header, arrays in frames:
        send(sink, {"event": "started", "id": header["id"]})
        answer, results = run(adapter, header, arrays, hello, spare)
        send(sink, dict(answer, event="trace", id=header["id"]), results)


def answer_frames(adapter: Any, hello: Mapping[str, Any], source: int, sink: int) -> None:
    """Run the programs that come to a spare until the pipe closes; the first binds it to its processors."""
    die_with_host()
    bound = False
    for header, arrays in read_frames(source):
        if not bound:
            spares.bind(header["threads"])
            bound = True
        answer, results = run(adapter, header, arrays, hello)
        send(sink, answer, results)


def die_with_host() -> None:
    """Ask Linux to kill us when the host dies: a step that never ends would not see the pipe close.

    Elsewhere a worker whose host was killed ends after the step it is at.
    """
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (ImportError, OSError, AttributeError):
        pass


def take_pipes() -> Tuple[int, int]:
    """Keep the real stdin and stdout for us; everybody else reads nothing and prints to stderr."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, sink


def read_frames(source: int) -> Iterator[Frame]:
    """Yield the host's frames."""
    decoder = Decoder()
    while True:
        data = os.read(source, 1 << 20)
        if not data:
            return
        for frame in decoder.feed(data):
            yield frame


def send(sink: int, header: Mapping[str, Any], arrays: Any = ()) -> None:
    """Write one frame whole."""
    data = memoryview(encode(header, arrays))
    while data:
        data = data[os.write(sink, data) :]


def load_adapter(path: str) -> Any:
    """Return the class that `package.module:Class` or `FILE.py:Class` names."""
    adapter = calls.load(path)
    if not isinstance(adapter, type):
        raise TypeError("%s is not a class" % path)
    return adapter


def has_device(adapter: Any, device: str) -> bool:
    """Return whether an adapter's framework sees a device. Every one sees the CPU; asking may take seconds."""
    return device == "cpu" or bool(getattr(adapter, "has_device", lambda name: True)(device))


def lacking(adapter: Any, device: str) -> Dict[str, str]:
    """Return what this build and device lack, for each execution that they cannot run."""
    ask = getattr(adapter, "lacking", lambda execution, device: "")
    found = {}
    for execution in getattr(adapter, "executions", ()):
        try:
            found[str(execution)] = str(ask(execution, device))
        except Exception as error:  # what cannot be found out must not cost the other executions
            found[str(execution)] = "it does not say what it needs: %s: %s" % tuple(shown_error(error).values())
    return {execution: reason for execution, reason in found.items() if reason}


def describe(adapter: Any) -> Dict[str, Any]:
    """Return what the host records of this process: adapter, Python, packages."""
    packages = installed_packages()
    package = str(getattr(adapter, "package", ""))
    return {
        "name": str(getattr(adapter, "name", adapter.__name__)),
        "package": package,
        "version": version_of(package, packages),
        "executions": [str(e) for e in getattr(adapter, "executions", ("eager",))],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "packages": packages,
    }


def version_of(package: str, packages: Mapping[str, str]) -> str:
    """Return a package's version. TensorFlow also comes as the distributions tensorflow-cpu and -gpu."""
    name = package.lower().replace("_", "-")
    return next((packages[n] for n in (name, name + "-cpu", name + "-gpu") if n in packages), "")


def installed_packages() -> Dict[str, str]:
    """Return every installed distribution and its version, from the names of its metadata folders."""
    found = {}
    for folder in sys.path:
        if os.path.isdir(folder):
            for entry in os.listdir(folder):
                if entry.endswith((".dist-info", ".egg-info")):
                    name, _, version = entry.rpartition(".")[0].partition("-")
                    found[name.lower().replace("_", "-")] = version.partition("-py")[0]
    return dict(sorted(found.items()))


def run(
    adapter: Any, job: Mapping[str, Any], arrays: List[Any], hello: Mapping[str, Any], spare: Any = None
) -> Tuple[Dict[str, Any], List[Any]]:
    """Run one program; return the answer's header and its arrays. spare: who runs those that set the threads."""
    started = time.perf_counter()
    results = []  # type: List[Any]
    answer = {"status": "ran"}  # type: Dict[str, Any]
    try:
        if job.get("facts"):
            layer = build(adapter, job, hello)
            answer["facts"] = json.loads(json.dumps(layer.facts(), default=str))
        elif spare is not None and spares.asked_by(job):
            answer["steps"] = spare.run_steps(job, arrays, results)
        else:
            answer["steps"] = run_steps(adapter, job, arrays, hello, results)
    except Unsupported as why:
        answer = {"status": "unsupported", "reason": str(why)[:TEXT_LIMIT]}
    except Lost as lost:
        answer = {"status": lost.status, "reason": str(lost)[:TEXT_LIMIT]}
    except (AdapterFault, spares.SpareFault) as fault:
        answer = {"status": "error", "reason": str(fault)[:TEXT_LIMIT]}
    except Exception as error:
        answer = {"status": "error", "reason": "%s: %s" % tuple(shown_error(error).values())}
    answer["seconds"] = time.perf_counter() - started
    compiled = getattr(adapter, "compilations", lambda: None)()
    if compiled is not None:
        answer["compilations"] = compiled
    return answer, results if answer["status"] == "ran" else []


class AdapterFault(Exception):  # noqa: N818 - it names the fault
    """The adapter, not the framework, is wrong."""


def build(adapter: Any, job: Mapping[str, Any], hello: Mapping[str, Any]) -> Any:
    """Make the adapter's layer, or several replicas of it."""
    how = {"execution": hello.get("execution") or adapter.executions[0], "device": hello.get("device", "cpu")}
    if job.get("replicas"):
        return replicas.build(adapter, job, how)
    return adapter(job["layer"], structure=job.get("structure", "bare"), **how)


def run_steps(
    adapter: Any, job: Mapping[str, Any], arrays: List[Any], hello: Mapping[str, Any], results: List[Any]
) -> List[Dict[str, Any]]:
    """Run the steps of a program; what each shows, its arrays appended to `results`."""
    steps = job["steps"]
    try:
        layer = build(adapter, job, hello)
    except (Unsupported, Lost):
        raise
    except Exception as error:
        check_memory(error)
        check_fault(adapter, error)
        return [{"error": shown_error(error)} for _ in steps]
    shown = []  # type: List[Dict[str, Any]]
    kept = {}  # type: Dict[str, Any]
    for step in steps:
        given = {name: arrays[index] for name, index in step["arrays"].items()}
        try:
            given_back = perform(layer, step["do"], given, dict(step["options"]), kept)
            shown.append({"arrays": keep_results(given_back, results)})
        except (Unsupported, Lost):
            raise
        except Exception as error:
            check_memory(error)
            check_fault(type(layer), error)
            shown.append({"error": shown_error(error)})
    return shown


def perform(
    layer: Any, do: str, given: Dict[str, Any], options: Dict[str, Any], kept: Dict[str, Any]
) -> Mapping[str, Any]:
    """Do one step and return its named arrays. kept: what one step of a program leaves for a later one."""
    if do in replicas.STEPS:
        return replicas.perform(layer, do, given)
    if do in ("prepare", "fit", "evaluate", "predict"):
        return train_with(layer, do, given, options, kept)
    if do in MODES:
        layout = options.pop("layout", None)
        if layout:
            given["x"] = layer.arrange(given["x"], layout)
        return {"y": layer.call(MODES[do], given.pop("x"), **dict(given, **options))}
    if do == "backward":
        return dict(layer.backward(given["dy"]))
    if do == "get_state":
        return dict(layer.get_state())
    if do == "load_state":
        found = {str(name): np.asarray(value) for name, value in layer.load_state(**options).items()}
        return {name: value for name, value in found.items() if travels(value)}
    if do == "save_state":
        layer.save_state(options["path"], given)
    elif do == "set_state":
        layer.set_state(given)
    elif do == "capture":
        layer.capture(options["mode"], given["x"])
    elif do == "snapshot":
        kept["snapshot"] = layer.snapshot()
    elif do == "look":
        return dict(layer.look(kept["snapshot"]))
    elif do in ("freeze", "unfreeze", "reload", "set_mode", "untrack", "set_threads"):
        getattr(layer, do)(**options)
    else:
        raise AdapterFault("the worker does not know the step %r" % do)
    return {}


def train_with(
    layer: Any, do: str, given: Dict[str, Any], options: Dict[str, Any], kept: Dict[str, Any]
) -> Mapping[str, Any]:
    """Do a step of the framework's trainer, compiled before its first one."""
    if not isinstance(layer, Trainer):
        raise Unsupported("%s has no trainer of its own" % layer.name)
    rate = options.pop("learning_rate", 0.0)
    if do == "prepare" or not kept.get("prepared"):
        layer.prepare(learning_rate=rate)
        kept["prepared"] = True
    if do == "fit":
        return dict(layer.fit(given["x"], given["target"], **options))
    if do == "evaluate":
        return dict(layer.evaluate(given["x"], given["target"]))
    return {"y": layer.predict(given["x"])} if do == "predict" else {}


def keep_results(given_back: Mapping[str, Any], results: List[Any]) -> Dict[str, int]:
    """Append the arrays of a step to the results; return where each one is."""
    places = {}
    for name, value in given_back.items():
        if value is None:
            continue
        # A copy: a layer that updates in place must not change what an earlier step showed.
        array = np.array(value)
        if not travels(array):
            raise AdapterFault("%s is %s of dtype %s; expected an array" % (name, type(value), array.dtype))
        places[str(name)] = len(results)
        results.append(array)
    return places


def travels(array: Any) -> bool:
    """Return whether an array is of a type that can be sent."""
    return array.dtype.name in TRAVELLING or bool(array.dtype == BFLOAT16)


def check_fault(adapter: Any, error: Exception) -> None:
    """Raise AdapterFault where an exception comes from the adapter's own lines, not from the framework.

    One of ours, as where a method does not take what every adapter is given, is the adapter's too.
    """
    if isinstance(error, AdapterFault):
        raise error
    last = traceback.extract_tb(error.__traceback__)[-1]
    own = {getattr(sys.modules.get(base.__module__), "__file__", None) for base in adapter.__mro__}
    if last.filename == __file__ or (isinstance(error, OURS) and last.filename in own):
        place = "%s:%s" % (os.path.basename(last.filename), last.lineno)
        raise AdapterFault("%s at %s: %s" % (type(error).__name__, place, error))


def shown_error(error: BaseException) -> Dict[str, str]:
    """Return an exception as class and text."""
    return {"class": type(error).__name__, "text": str(error)[:TEXT_LIMIT]}
