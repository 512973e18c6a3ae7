"""Adapters that are right but for one case: the one whose layer has the epsilon of the victim.

They run inside the worker. Each says with its name what it does there.
"""

import ctypes
import fcntl
import os
import signal
import stat
import sys
import time

import numpy as np

from bnspec.worker.adapters.reference import Reference

VICTIM = 1e-5


class Hostile(Reference):
    """The reference, with a hook for the victim's inference call."""

    def call(self, mode, x, **options):
        y = super().call(mode, x, **options)
        return self.strike(y) if self.layer["epsilon"] == VICTIM and mode == "infer" else y

    def strike(self, y):
        return y


class Innocent(Hostile):
    pass


# Deaths


class Segfaults(Hostile):
    def strike(self, y):
        ctypes.string_at(0)


class SysExits(Hostile):
    def strike(self, y):
        sys.exit(3)


class OsExits(Hostile):
    def strike(self, y):
        os._exit(3)


class DiesTalking(Hostile):
    def strike(self, y):
        sys.stderr.write("one line before\nfatal: \x1b[31mno more memory\x1b[0m\n")
        sys.stderr.flush()
        os._exit(3)


class ForksAndDies(Hostile):
    """The child keeps the pipes open; it is in the worker's process group."""

    def strike(self, y):
        if os.fork():
            os._exit(3)
        time.sleep(600)


class ForksAwayAndDies(Hostile):
    """The child keeps the pipes open in a session of its own, where no signal to the group finds it."""

    def strike(self, y):
        if os.fork():
            os._exit(3)
        os.setsid()
        leave_mark(str(os.getpid()))
        time.sleep(600)


class ForksAwayWritingAndDies(Hostile):
    """The child has left the group and never stops writing into the pipe."""

    def strike(self, y):
        if os.fork():
            os._exit(3)
        os.setsid()
        leave_mark(str(os.getpid()))
        sink = real_pipe()
        while True:
            os.write(sink, b" ")
            time.sleep(0.01)


class ClosesThePipe(Hostile):
    def strike(self, y):
        os.close(real_pipe())
        return y


# Hanging


class Hangs(Hostile):
    def strike(self, y):
        leave_mark(str(os.getpid()))
        time.sleep(600)


class HangsIgnoringSignals(Hostile):
    def strike(self, y):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            pass


class IsSlow(Hostile):
    """Every call takes a moment; the victim's leaves a mark."""

    def call(self, mode, x, **options):
        time.sleep(0.05)
        return super().call(mode, x, **options)

    def strike(self, y):
        leave_mark(str(os.getpid()))
        time.sleep(1)
        return y


# Babbling


class Prints(Hostile):
    """Megabytes through every door that a framework prints by; all of them lead to stderr."""

    def strike(self, y):
        for _ in range(64):
            print("x" * 65536)
            os.write(1, b"\x00\n{}\n" * 8192)
        libc = ctypes.CDLL(None)
        for _ in range(64):
            libc.printf(b"%s", b"y" * 65536)
        libc.fflush(None)
        return y


class WritesGarbage(Hostile):
    def strike(self, y):
        os.write(real_pipe(), b"\xff\x00garbage\n")
        return y


class WritesGarbageWithoutEnd(Hostile):
    """What it writes becomes the beginning of its own answer's header."""

    def strike(self, y):
        os.write(real_pipe(), b"tensorflow: 3 devices ")
        return y


class WritesAnEndlessLine(Hostile):
    def strike(self, y):
        sink = real_pipe()
        while True:
            os.write(sink, b"x" * 65536)


class ClaimsGigabytes(Hostile):
    def strike(self, y):
        os.write(real_pipe(), b'{"event": "trace", "arrays": [{"dtype": "uint8", "shape": [3000000000]}]}\n')
        return y


class AnswersNothing(Hostile):
    def strike(self, y):
        os.write(real_pipe(), b'{"event": "trace", "id": "nobody", "status": "ran", "arrays": []}\n')
        return y


class AnswersTwice(Hostile):
    """It answers for itself, and wrongly, before the worker does."""

    def strike(self, y):
        forged = b'{"event": "trace", "id": "forward.inference[victim]", "status": "ran", "steps": 3, "arrays": []}\n'
        os.write(real_pipe(), forged)
        return y


class GivesEndlessSeconds(Hostile):
    def strike(self, y):
        forged = (
            b'{"event": "trace", "id": "forward.inference[victim]", "status": "error", "reason": "made up",'
            b' "seconds": 1' + b"0" * 400 + b', "arrays": []}\n'
        )
        os.write(real_pipe(), forged)
        os._exit(0)


# Wrong results


class GivesAnotherShape(Hostile):
    def strike(self, y):
        return y[:1]


class GivesAnotherType(Hostile):
    def strike(self, y):
        return y.astype(np.float64)


class GivesAList(Hostile):
    def strike(self, y):
        return y.tolist()


class GivesNothing(Hostile):
    def strike(self, y):
        return None


class GivesText(Hostile):
    def strike(self, y):
        return "<script>alert(1)</script>"


class GivesObjects(Hostile):
    def strike(self, y):
        return y.astype(object)


class GivesARaggedList(Hostile):
    def strike(self, y):
        return [[1.0], [2.0, 3.0]]


class GivesComplexNumbers(Hostile):
    def strike(self, y):
        return y.astype(np.complex64)


class GivesLongDoubles(Hostile):
    def strike(self, y):
        return y.astype(np.longdouble)


# Exceptions


class Raises(Hostile):
    def strike(self, y):
        raise RuntimeError("no kernel for \x1b[31mthis\x1b[0m <b>shape</b>")


class RaisesInItsOwnLines(Hostile):
    def strike(self, y):
        return {"y": y}["output"]


class RaisesAtConstruction(Hostile):
    def __init__(self, layer, **options):
        super().__init__(layer, **options)
        if layer["epsilon"] == VICTIM:
            raise ValueError("epsilon is too small")


class TakesNoMode(Hostile):
    """Its call does not take what every adapter is given."""

    def __init__(self, layer, **options):
        super().__init__(layer, **options)
        if layer["epsilon"] == VICTIM:
            self.call = lambda x: x


class RaisesLongTexts(Hostile):
    """Every step shows an error as long as errors get: thousands of characters that JSON spells with six."""

    def strike(self, y):
        raise RuntimeError("\N{SNOWMAN}" * 100_000)


# Facts


class FactsCrash(Hostile):
    def facts(self):
        os._exit(3)


class FactsHang(Hostile):
    def facts(self):
        time.sleep(600)


class FactsRaise(Hostile):
    def facts(self):
        raise RuntimeError("no facts today")


class FactsAreNoJson(Hostile):
    def facts(self):
        return {"momentum": np.float32(0.5), "type": np.dtype("float32"), "nan": float("nan")}


class FactsAreEndless(Hostile):
    def facts(self):
        facts = {}
        for _ in range(500):
            facts = {"inner": facts}
        return facts


def real_pipe():
    """Return the descriptor that the worker keeps for its frames."""
    for descriptor in range(3, 64):
        try:
            mode, flags = os.fstat(descriptor).st_mode, fcntl.fcntl(descriptor, fcntl.F_GETFL)
        except OSError:
            continue
        if stat.S_ISFIFO(mode) and flags & os.O_ACCMODE == os.O_WRONLY:
            return descriptor
    raise LookupError("no pipe")


def leave_mark(text):
    """Tell the test that the victim is being run."""
    if "BNSPEC_TEST_MARK" in os.environ:
        path = os.environ["BNSPEC_TEST_MARK"]
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)


# Memory


class HasNoMemory(Hostile):
    def strike(self, y):
        return np.zeros((1 << 40, 1 << 20), np.float32)


class HasNoMemoryOnTheDevice(Hostile):
    def strike(self, y):
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
