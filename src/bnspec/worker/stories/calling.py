"""What is called for a story: a function of its module, for the record that it makes or the model that it leaves."""

import functools
import json
import os

import numpy as np

from bnspec.worker.calls import load, unpack


def call(file, function, options):
    """Return the record that a function of a story's file makes with some options."""
    _, record = loaded(file, function)(**options)
    return record


def saved(folder):
    """Return the model that a function of a story's file leaves; its arguments lie in a folder."""
    with np.load(os.path.join(folder, "arrays.npz")) as archive:
        arrays = [archive["arr_%d" % number] for number in range(len(archive.files))]
    with open(os.path.join(folder, "arguments.json")) as source:
        file, function, options = unpack(json.load(source), arrays)
    model, _ = loaded(file, function)(**options)
    return model


@functools.lru_cache(maxsize=None)
def loaded(file, function):
    """Return a function of a file."""
    return load("%s:%s" % (file, function))
