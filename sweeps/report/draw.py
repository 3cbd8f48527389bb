"""Draw a sweep's figure from its table."""

import inspect
from typing import TYPE_CHECKING

from sweeps.errors import ExperimentError, SweepError
from sweeps.report.frames import history, results_at
from sweeps.spec.experiment_file import summary_of
from sweeps.spec.selection import Chosen
from sweeps.storage.place import joined
from sweeps.terminal import sweep_command

if TYPE_CHECKING:
    import pandas as pd

    from sweeps.spec.experiment_file import Draw


def draw(chosen: Chosen) -> list[str]:
    """Draw an experiment's figure beside its table, from stored results only.

    An experiment with a `compare` also gets a comparison with the paper, as Markdown.

    Returns:
        The addresses of the files.

    Raises:
        ExperimentError: If the experiment has no `draw`, or `draw` fails.
        SweepError: If there is no result to draw.
    """
    experiment = chosen.experiment
    if experiment.draw is None:
        raise ExperimentError(
            f"{experiment.reference} defines no `draw`. Write one that takes the table "
            "as a DataFrame and returns a matplotlib Figure."
        )
    results = results_at(chosen)
    if results.empty:
        raise SweepError(
            f"There is no result in {chosen.place.address}. "
            f"Train first: {sweep_command('run', experiment.reference)}"
        )
    from sweeps.figures import save

    name = experiment.sweep.name
    try:
        figure = experiment.draw(*_wanted(experiment.draw, chosen, results))
        text = experiment.compare(results) if experiment.compare else None
    except Exception as error:
        raise ExperimentError(summary_of(experiment.path, error)) from error
    try:
        files = save(figure, chosen.place, name)
        if text is not None:
            chosen.place.replace(f"{name}.md", text.encode())
            files.append(joined(chosen.place, f"{name}.md"))
        return files
    except OSError as error:
        raise SweepError(
            f"The figure cannot be written to {chosen.place.address} ({error.strerror or error})."
        ) from None


def _wanted(
    draw: "Draw", chosen: Chosen, results: "pd.DataFrame"
) -> "tuple[pd.DataFrame, ...]":
    """Return the arguments of `draw`: the table, and the history if it has two parameters."""
    if len(inspect.signature(draw).parameters) < 2:
        return (results,)
    return results, history(chosen)
