"""The graph of concepts: order, members, propagation, words, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from core.concepts.graph import Concept, ConceptGraph, make_graph
from core.errors import InputError

NAMES = ("thing", "animal", "dog", "cat", "pet", "stone", "puppy")
PARENTS = {
    "animal": ["thing"],
    "stone": ["thing"],
    "pet": ["thing"],
    "dog": ["animal", "pet"],
    "cat": ["animal", "pet"],
    "puppy": ["dog"],
}


def small() -> ConceptGraph:
    concepts = [Concept(name, name, f"the text of {name}", (name,), name in ("dog", "cat", "stone")) for name in NAMES]
    return make_graph(reversed(concepts), PARENTS, "a test")


def test_parents_come_before_children() -> None:
    graph = small()
    assert sorted(graph.positions) == sorted(NAMES)
    assert all(parent < at for at, parents in enumerate(graph.parents) for parent in parents)
    assert [graph.concepts[at].name for at in graph.parents[graph.position("dog")]] == ["animal", "pet"]


def names(graph: ConceptGraph, positions: object) -> set[str]:
    return {graph.concepts[at].name for at in positions}  # type: ignore[attr-defined]


def test_members_are_all_that_is_below_and_count_once() -> None:
    graph = small()
    assert names(graph, graph.members(graph.position("animal"))) == {"animal", "dog", "cat", "puppy"}
    assert names(graph, graph.members(graph.position("thing"))) == set(NAMES)
    assert names(graph, graph.leaves(graph.position("pet"))) == {"cat", "puppy"}
    assert names(graph, graph.leaves(graph.position("stone"))) == {"stone"}
    assert graph.sizes[graph.position("thing")] == len(NAMES)
    assert names(graph, graph.listed) == {"dog", "cat", "stone"}


def test_propagation_is_the_maximum_over_members() -> None:
    graph = small()
    values = np.random.default_rng(0).normal(size=(len(graph), 5))
    raised = graph.propagate(values)
    expected = np.stack([values[graph.members(at)].max(axis=0) for at in range(len(graph))])
    assert np.array_equal(raised, expected)
    # One step from child to parent isn't enough, and the input is left alone.
    once = values.copy()
    for at, parents in enumerate(graph.parents):
        for parent in parents:
            once[parent] = np.maximum(once[parent], values[at])
    assert not np.array_equal(once, expected)
    assert not np.array_equal(values, expected)


def test_a_word_finds_its_senses_also_in_the_plural() -> None:
    concepts = [
        Concept("bat.n.01", "bat", "a flying mammal", ("bat", "chiropteran"), False),
        Concept("bat.n.05", "bat", "a club", ("bat",)),
        Concept("berry.n.01", "berry", "a fruit"),
        Concept("knife.n.01", "knife", "a tool", ("knife", "cutting tool")),
    ]
    graph = make_graph(concepts, {}, "a test")
    assert [graph.concepts[at].name for at in graph.senses(" Bats ")] == ["bat.n.05", "bat.n.01"]
    for word, name in (("berries", "berry.n.01"), ("knives", "knife.n.01"), ("cutting_tools", "knife.n.01")):
        assert [graph.concepts[at].name for at in graph.senses(word)] == [name]
    assert graph.senses("bus") == graph.senses("") == []


def test_a_frame_holds_the_whole_graph() -> None:
    graph = small()
    again = ConceptGraph.from_frame(graph.to_frame(), graph.source)
    assert again == graph
    assert again.digest == graph.digest
    other = make_graph([Concept("a", "a", "x"), Concept("b", "b", "y")], {}, "a test")
    assert other.digest != make_graph([Concept("a", "a", "x"), Concept("b", "b", "z")], {}, "a test").digest
    assert other.digest != make_graph([Concept("a", "a", "x"), Concept("b", "b", "y")], {"b": ["a"]}, "a test").digest


def test_what_makes_no_graph_is_refused() -> None:
    one, two = Concept("a", "a", "x"), Concept("b", "b", "y")
    with pytest.raises(InputError, match="appears twice"):
        make_graph([one, one], {}, "")
    with pytest.raises(InputError, match="'c' of 'b' is not a concept"):
        make_graph([one, two], {"b": ["c"]}, "")
    with pytest.raises(InputError, match="is its own ancestor"):
        make_graph([one, two], {"b": ["a"], "a": ["b"]}, "")
    with pytest.raises(InputError, match="'dogs' is not among the 7 concepts of this vocabulary; its word has dog"):
        small().position("dogs")
