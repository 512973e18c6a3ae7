"""Which adapter goes with an environment: that of the framework it is named after, in the form its version needs."""

import pytest

from bnspec.environments import find, listed
from bnspec.targets import adapters, choose, parse

EAGER = {
    "py37-tensorflow-2.0.0": ("tf.keras", "keras_eager:TfKeras"),
    "py38-tensorflow-2.3.4": ("tf.keras", "keras_eager:TfKeras"),
    "py39-tensorflow-2.6.5": ("tf.keras", "keras_eager:TfKeras"),
    "py311-tensorflow-2.15.1": ("tf.keras", "keras_eager:TfKeras"),
    "py311-tf_keras-2.21.0-tensorflow-2.21.0": ("tf-keras", "keras_eager:TfKerasPackage"),
    "py311-keras-3.0.5-tensorflow-2.16.2": ("keras", "keras_eager:Keras"),
    "py311-keras-3.6.0-jax-0.4.30": ("keras-jax", "keras_jax:KerasJax"),
    "py311-keras-3.11.3-torch-2.13.0": ("keras-torch", "keras_torch:KerasTorch"),
}
"""One environment of each kind of Keras that is called eagerly, its main adapter and where that is."""


GRAPH = {
    "py36-keras-2.1.2-tensorflow-1.4.1": {"keras", "tf.keras", "tf.layers"},
    "py36-keras-2.2.4-tensorflow-1.12.0": {"keras", "tf.keras", "tf.layers"},
    "py36-keras-2.2.4-theano-1.0.5": {"keras-theano"},
    "py36-tensorflow-1.12.0": {"tf.keras", "tf.layers"},
    "py37-keras-2.3.1-tensorflow-1.15.0": {"keras", "tf.keras", "tf.layers"},
    "py37-keras-2.3.1-tensorflow-2.0.0": {"keras", "tf.keras", "tf.nn", "tf.layers"},
    "py37-tensorflow-1.15.0": {"tf.keras", "tf.layers"},
}
"""Environments of graphs and sessions, and every adapter that one can run."""

PLACES = {
    "keras": "keras_session:Keras",
    "tf.keras": "keras_session:TfKeras",
    "keras-theano": "keras_theano:KerasTheano",
}


@pytest.mark.parametrize(("name", "expected"), GRAPH.items())
def test_a_keras_of_graphs_has_the_adapters_of_its_backend(name, expected):
    assert {adapter.name for adapter in adapters(find(name))} == expected


@pytest.mark.parametrize("name", GRAPH)
def test_the_main_adapter_of_an_old_keras_is_that_of_graphs(name):
    target = choose(find(name), None, "cpu", None)
    assert target.path == f"bnspec.worker.adapters.{PLACES[target.adapter]}"


def test_theano_is_told_before_it_is_imported_that_there_is_no_compiler():
    environ = parse("py36-keras-2.2.4-theano-1.0.5").environ
    assert environ["KERAS_BACKEND"] == "theano"
    assert {"cxx=", "optimizer=fast_compile"} <= set(environ["THEANO_FLAGS"].split(","))


@pytest.mark.parametrize(("name", "expected"), EAGER.items())
def test_a_keras_of_today_has_the_adapter_of_its_kind(name, expected):
    target = choose(find(name), None, "cpu", None)
    assert (target.adapter, target.path) == (expected[0], f"bnspec.worker.adapters.{expected[1]}")


@pytest.mark.parametrize("environment", listed(), ids=lambda environment: environment.name)
def test_the_main_adapter_is_of_the_first_framework_in_the_name_that_has_one(environment):
    fitting = adapters(environment)
    first = next(family for family in environment.families if any(family in one.distributions for one in fitting))
    assert first in fitting[0].distributions


@pytest.mark.parametrize("text", ["tf-keras", "tf_keras", "tf-keras==2.21.0", "py311-tf_keras-2.21.0"])
def test_tf_keras_is_found_by_its_name_and_is_not_the_keras_that_stands_beside_it(text):
    target = parse(text)
    assert target.name == "py311-tf_keras-2.21.0-tensorflow-2.21.0/tf-keras"
    assert parse(f"{text}/keras").adapter == "keras"


def test_an_execution_is_a_part_of_the_name():
    target = parse("py311-tensorflow-2.15.1", execution="unfused")
    assert target.name == "py311-tensorflow-2.15.1/tf.keras@unfused"
