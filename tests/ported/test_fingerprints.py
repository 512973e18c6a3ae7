"""The results that the other tests take for granted are what the suite finds."""

from bnspec.answers import frame, parse_facts
from bnspec.case import Layer
from bnspec.worker.frames import Decoder
from bnspec.worker.loop import run


def facts_of(adapter):
    """Return the facts of an adapter, as they cross the pipe."""
    [(job, arrays)] = Decoder().feed(frame(None))
    job["layer"] = Layer(axis=1, momentum=None).as_json()
    answer, _ = run(adapter, job, arrays, {})
    return parse_facts(answer)


def test_the_made_up_frameworks_answer_as_their_results_say(frameworks, there_and_here, verdicts):
    for name, column in zip(("There", "Here"), there_and_here, strict=True):
        adapter = getattr(frameworks, name)
        found = verdicts(adapter, " or ".join(column.rows))
        kept = ("verdict", "variant", "message")
        said = {id: {key: row[key] for key in kept if key in row} for id, row in column.rows.items()}
        assert {id: {k: v for k, v in row.as_json().items() if k in kept} for id, row in found.items()} == said
        assert facts_of(adapter) == column.info["facts"]
