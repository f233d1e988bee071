"""Other packages as a user installs them, each with the wrapper that CLIP needs; one file a package.

Every function takes a `Problem` and returns maps `(texts, rows, columns)` by the name of the method of ours that they
are compared with. A package is imported inside the function that needs it, so that one that is missing costs only its
own rows.
"""
