"""Facts that are found by probing: what a layer takes, and its words for what it does not."""

import json

from bnspec.difference import Shown, Trace
from bnspec.driver import Driver, Timeouts
from bnspec.facts import fact, probes
from bnspec.targets import parse


def test_a_probe_is_a_fact_in_the_frameworks_own_words():
    assert fact(Trace("ran", (Shown(),))) == "accepted"
    assert fact(Trace("ran", (Shown(error=("ValueError", "no\n  good")),))) == "ValueError: no good"
    assert fact(Trace("unsupported", reason="no words for it")) == "unsupported: no words for it"
    assert len(fact(Trace("ran", (Shown(error=("E", "x" * 5000)),)))) == 300


def test_probes_become_facts_beside_the_adapters_own():
    driver = Driver(parse("numpy"), Timeouts(), probes=probes())
    driver.connect()
    assert not list(driver.traces([]))
    assert driver.facts["momentum"] == 0.99
    assert driver.facts["takes rank4-first"] == "accepted"
    assert driver.facts["given another number of channels"].startswith("ValueError: ")
    assert set(driver.facts) >= {probe.situation for probe in probes()}
    json.dumps(driver.facts)
