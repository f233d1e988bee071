"""Signatures: PAdES in the PDF of a report, an in-toto statement in a DSSE envelope over its bundle. No network, unless
a time stamp is asked for.
"""
