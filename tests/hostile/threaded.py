"""An adapter whose import starts a thread that nearly always holds a lock: forked, it would wait for that for ever."""

import threading
import time

from threads import OneForEveryProcessor

LOCK = threading.RLock()


def hold():
    while True:
        with LOCK:
            time.sleep(0.01)
        time.sleep(0.001)  # else nobody else would ever get it


threading.Thread(target=hold, daemon=True).start()


class WithThreads(OneForEveryProcessor):
    def call(self, mode, x, **options):
        with LOCK:
            return super().call(mode, x, **options)
