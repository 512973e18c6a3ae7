"""The one function that the host calls for a story: it calls a function of the story's module."""

import functools

from bnspec.worker.calls import load


def call(file, function, options):
    """Return what a function of a story's file returns for some options."""
    return loaded(file, function)(**options)


@functools.lru_cache(maxsize=None)
def loaded(file, function):
    """Return a function of a file."""
    return load("%s:%s" % (file, function))
