"""Adapters that cannot change the number of their threads: it is that of the processors that they may use."""

import os
import time

from bnspec.worker.adapters.reference import Reference

WORKER = os.getpid()


class OneForEveryProcessor(Reference):
    """What it returns tells how many there are."""

    def call(self, mode, x, **options):
        y = super().call(mode, x, **options)
        return y + len(os.sched_getaffinity(0)) if mode == "train" else y


class Same(Reference):
    pass


class DiesWhenBound(Reference):
    def call(self, mode, x, **options):
        if os.getpid() != WORKER:
            os._exit(3)
        return super().call(mode, x, **options)


class HangsWhenBound(Reference):
    def call(self, mode, x, **options):
        while os.getpid() != WORKER:
            time.sleep(1)
        return super().call(mode, x, **options)


class RaisesWhenBound(Reference):
    def call(self, mode, x, **options):
        if os.getpid() != WORKER:
            raise RuntimeError(f"no kernel for {len(os.sched_getaffinity(0))}")
        return super().call(mode, x, **options)


class HasNoWordsWhenBound(Reference):
    def call(self, mode, x, **options):
        if os.getpid() != WORKER:
            raise self.unsupported("call")
        return super().call(mode, x, **options)


class IsWrongItself(Reference):
    def call(self, mode, x, **options):
        return {}["no such key"] if os.getpid() != WORKER else super().call(mode, x, **options)
