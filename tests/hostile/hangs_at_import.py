"""An adapter file whose import never ends."""

import time

from bnspec.worker.adapters.reference import Reference

time.sleep(600)


class Adapter(Reference):
    pass
