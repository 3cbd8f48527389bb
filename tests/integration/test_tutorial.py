"""The tutorial, typed as it stands; its quick budget, so that it ends soon."""

import json
import re
from pathlib import Path

import pytest
from commands import Folder

TUTORIAL = (Path(__file__).parents[2] / "docs/tutorial.md").read_text()


@pytest.mark.ray
def test_the_tutorial_can_be_followed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    experiment, draw = re.findall(r"```python\n(.*?)```", TUTORIAL, flags=re.DOTALL)
    (tmp_path / "mine.py").write_text(experiment + draw)
    planned = folder.sweep("plan", "./mine.py")
    assert planned.stdout.strip() in TUTORIAL
    done = folder.sweep("run", "./mine.py", "--quick", "--pack", "6", "--no-dashboard")
    assert done.returncode == 0, done.stderr
    status = json.loads(folder.sweep("status", "./mine.py", "--quick", "--json").stdout)
    assert status["trials"] == status["solved"] + status["unsolved"] == 12
    drawn = folder.sweep("draw", "./mine.py", "--quick")
    svg, png = (tmp_path / line for line in drawn.stdout.split())
    assert "learning rate" in svg.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")
