"""Draw the history of one trial into a file."""

from pathlib import Path
from typing import Any

from sweeps.errors import SweepError
from sweeps.storage.address import place
from sweeps.store.trial_id import SHOWN_DIGITS

KINDS = ("svg", "png", "pdf")


def plot(facts: dict[str, Any], file: str) -> str:
    """Draw the history of a trial; of several results, of the one with most updates.

    Args:
        facts: The result of `sweeps.report.show_trial.show`.
        file: Path of the figure; its ending sets the format.

    Returns:
        The address of the file.

    Raises:
        SweepError: If the format is unknown, there is nothing to draw, or the file cannot be written.
    """
    folder, slash, name = file.rpartition("/")
    kind = Path(name).suffix[1:].lower()
    if kind not in KINDS:
        raise SweepError(f"--plot {file!r} must be a file that ends in .svg, .png or .pdf.")
    found = [each for each in facts["results"] if each["history"]["update"]]
    if not found:
        raise SweepError(_nothing_to_draw(facts["trial_id"][:SHOWN_DIGITS]))
    from sweeps.figures import history_panels, rendered

    current = max(found, key=lambda each: each["result"]["updates"])
    spec = {"trial_id": facts["trial_id"], **facts["differing"]}
    figure = history_panels(spec, current["result"], current["history"])
    data = rendered(figure, kind, facts["trial_id"])
    try:
        place(folder or slash or ".").replace(name, data)
    except OSError as error:
        raise SweepError(
            f"The figure cannot be written to {file} ({error.strerror or error}). "
            "Choose another --plot FILE."
        ) from None
    return file


def _nothing_to_draw(trial_id: str) -> str:
    return (
        f"Trial {trial_id} has no check to draw: it has no result yet, or diverged before its "
        f"first check. `sweep show {trial_id}` shows which."
    )
