"""The common style of all figures: palette, labels and file formats."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from sweeps.storage.place import Place, joined

PALETTE = ("#c44e52", "#4c72b0", "#2f8f5b", "#8172b3", "#937860")
MARKERS = ("o", "s", "D", "^", "v")
LABELS = {
    "sigmoid": "sigmoid",
    "basic_tanh": "basic tanh",
    "smart_tanh": "smart tanh",
    "TemporalOrder": "temporal order",
    "Addition": "addition",
    "Multiplication": "multiplication",
}
ANONYMOUS: Mapping[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""File formats, and the metadata of each to leave out, since it changes between runs."""


def save(figure: Figure, place: Place, stem: str) -> list[str]:
    """Write a figure as SVG and PNG; the bytes are reproducible.

    Args:
        figure: The figure.
        place: Where to write the files.
        stem: File name without extension.

    Returns:
        The addresses of the two files.
    """
    written = {f"{stem}.{kind}": rendered(figure, kind, stem) for kind in ("svg", "png")}
    for name, data in written.items():
        place.replace(name, data)
    return [joined(place, name) for name in written]


def rendered(figure: Figure, kind: str, stem: str) -> bytes:
    """Return the bytes of a figure's file; they are reproducible.

    Args:
        figure: The figure.
        kind: File format, a key of `ANONYMOUS`.
        stem: File name without extension.
    """
    import matplotlib as mpl

    buffer = BytesIO()
    with mpl.rc_context({"svg.hashsalt": stem, "svg.fonttype": "none"}):
        figure.savefig(buffer, format=kind, dpi=200, metadata=ANONYMOUS[kind])
    return buffer.getvalue()


def matching(table: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows that have these values; None means null."""
    for column, value in where.items():
        here = table[column]
        table = table[here.isna() if value is None else here == value]
    return table
