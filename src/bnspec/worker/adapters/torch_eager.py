"""The ordinary execution of torch.nn, from which the others differ in one thing."""


class Eager:
    """Calls the module itself."""

    captures = False
    no_gradient = ""

    def __init__(self, module):
        self.module = module

    @classmethod
    def lacking(cls, device):
        return ""

    @classmethod
    def begin(cls):
        """Switch on what the execution is, for the whole process."""

    @classmethod
    def count(cls):
        """Return how many times this process has compiled or captured; None where it does neither."""
        return None

    def make_ready(self, x):
        """Make ready for a call with x: what this does is no part of the call."""

    def __call__(self, x):
        return self.module(x)

    def arranged(self, x):
        """Return an input, or a gradient by the output, as this execution lays it out."""
        return x
