"""The loops of five releases, written out from their descriptions: what `benchmarks/systems.py` measures ours against.

They do what is published, one pass after another, with published defaults; faults that change the result are left out
or can be switched off, so that both sides compute the same thing and only the way there differs.
"""
