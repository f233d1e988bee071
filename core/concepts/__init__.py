"""Vocabularies: the graph of WordNet's nouns, our list of everyday things, a person's own concepts.

Everything but `glosses` is free of torch. `lattice` and `relevance` turn stored crops into maps and scores.
"""
