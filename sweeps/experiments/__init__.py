"""One file = one question + one list of trials + one figure.

The file's first docstring line is the question; `sweep` is the list; `draw` is optional.
"""
