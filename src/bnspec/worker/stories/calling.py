"""What is called for a story: a function of its module, for the record that it makes or the model that it leaves."""

import functools

from bnspec.worker.calls import load


def call(file, function, options):
    """Return the record that a function of a story's file makes with some options."""
    _, record = loaded(file, function)(**options)
    return record


def trained(file, function, options):
    """Return the model that a function of a story's file leaves."""
    model, _ = loaded(file, function)(**options)
    return model


@functools.lru_cache(maxsize=None)
def loaded(file, function):
    """Return a function of a file."""
    return load("%s:%s" % (file, function))
