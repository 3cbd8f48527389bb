"""What a sweep adds to trials that only sleep: wall time against the sleeping itself.

    python benchmarks/sleeping_trials.py                 1,000 trials of 1 s on two workers
    python benchmarks/sleeping_trials.py --trials 20 --seconds 30

A trial's `advance` sleeps, so that nothing but the sweep takes time: starting Ray, handing
out packs, checkpoints, commits. Prints the wall time of `sweep run`, from the prompt to the
last line, and of its trials alone, each against trials · seconds / workers.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

EXPERIMENT = '''"""Does a sweep cost more than its trials?"""

import time
from dataclasses import dataclass

from sweeps import Sweep

UPDATES = 100


@dataclass(frozen=True, kw_only=True)
class Sleep:
    seconds: float = {seconds}
    seed: int = 0
    check_every: int = UPDATES

    def start(self, device):
        return {{"slept": 0}}

    def advance(self, state, updates):
        time.sleep(self.seconds * updates / UPDATES)
        return {{"slept": state["slept"] + updates}}

    def check(self, state):
        return {{"slept": state["slept"]}}


sweep = Sweep(
    name="sleep", budget=UPDATES, trials=[Sleep(seed=seed) for seed in range({trials})]
)
'''


def main() -> None:
    """Run the sweep and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--cpus", type=int, default=2)
    words = parser.parse_args()
    least_s = words.trials * words.seconds / words.cpus
    with tempfile.TemporaryDirectory() as folder:
        text = EXPERIMENT.format(seconds=words.seconds, trials=words.trials)
        (Path(folder) / "sleep.py").write_text(text)
        began = time.perf_counter()
        sweep = [str(Path(sys.executable).with_name("sweep")), "run", "./sleep.py"]
        subprocess.run([*sweep, "--cpus", str(words.cpus)], cwd=folder, check=True)
        took_s = time.perf_counter() - began
        trials_s = _trials_s(Path(folder) / "results/sleep/attempts")
    print(
        f"{platform.node()}, {words.trials} trials of {words.seconds:g} s, {words.cpus} workers"
    )
    for what, seconds in (("sweep run", took_s), ("first start to last end", trials_s)):
        print(f"{what:<25} {seconds:8.1f} s  {seconds / least_s:.3f} × sleeping alone")


def _trials_s(attempts: Path) -> float:
    """Return the seconds from the first trial's start to the last one's end."""
    logs = [path.read_text().splitlines() for path in attempts.glob("*.jsonl")]
    events = [json.loads(line) for log in logs for line in log]
    times = {
        kind: [datetime.fromisoformat(e["time"]) for e in events if e["event"] == kind]
        for kind in ("started", "finished")
    }
    return (max(times["finished"]) - min(times["started"])).total_seconds()


if __name__ == "__main__":
    main()
