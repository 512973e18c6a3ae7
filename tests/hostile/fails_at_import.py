"""An adapter file whose import raises."""

import no_such_framework  # noqa: F401

from bnspec.worker.adapters.reference import Reference


class Adapter(Reference):
    pass
