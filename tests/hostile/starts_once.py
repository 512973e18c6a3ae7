"""An adapter that dies in the victim's case, and whose file can be imported only once."""

import os
import sys

from bnspec.worker.adapters.reference import Reference

if os.path.exists(os.environ["BNSPEC_TEST_MARK"]):
    sys.exit("the licence server counts one process")
with open(os.environ["BNSPEC_TEST_MARK"], "w"):
    pass


class Adapter(Reference):
    def call(self, mode, x, **options):
        if self.layer["epsilon"] == 1e-5:
            os._exit(3)
        return super().call(mode, x, **options)
