"""The parts as processes, one after another, each with a time limit."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.gpu_check.card import machine
from benchmarks.gpu_check.common import MAIN_CROWD, ROOT, SCRIPT, Found, explain, say, write
from benchmarks.gpu_check.contract import contract, jobs
from benchmarks.gpu_check.goals import failures, goals, show
from benchmarks.gpu_check.grid import run
from benchmarks.gpu_check.reference import reference
from benchmarks.gpu_check.speed import CONFIGS, speed
from benchmarks.gpu_check.success import SEEDS, counts_of_success, success

LIMIT_S = 465
"""Seconds for everything; a part that begins late has less than its own limit."""
LIMITS_S = {
    "machine": 60,
    "speed": 130,
    "contract": 130,
    "contenders": 90,
    "success": 80,
    "run": 120,
}
"""Parts in the order in which they run, and the seconds of each at most."""
TINY_LIMIT_S = 900
LEAST_S = 15
"""A part is left out if less time is left."""
SPARE_S = 5
"""Seconds before its limit when a part stops by itself."""


def cases_of(part: str, tiny: bool) -> list[str]:
    """Return the processes of a part, by what each has to do."""
    free = max(1, (os.cpu_count() or 1) - 2)
    if part == "contract":
        of = 1 if tiny else min(free, len(jobs(tiny)), 14)
        return [f"{i}/{of}" for i in range(of)]
    if part == "speed":
        return list(CONFIGS[:1] if tiny else CONFIGS)
    if part == "success":
        of = 1 if tiny else min(free, SEEDS)
        return ["fused_gpu", *(f"fused_cpu {i}/{of}" for i in range(of))]
    return [""]


def run_part(part: str, args: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Run the processes of a part side by side, and end those that are over time."""
    start, until = time.time(), time.time() + seconds
    if part == "contenders":
        return run_contenders(args, seconds)
    cases = cases_of(part, args.tiny)
    paths = {case: args.out / f"{part}-{i}.json" for i, case in enumerate(cases)}
    processes: dict[str, subprocess.Popen[bytes]] = {}
    for case, path in paths.items():
        path.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-W",
            "ignore",
            str(SCRIPT),
            "--part",
            part,
            "--case",
            case,
        ]
        command += ["--into", str(path), "--out", str(args.out)]
        command += ["--until", str(until - SPARE_S), *(["--tiny"] if args.tiny else [])]
        processes[case] = subprocess.Popen(command, start_new_session=True)
    errors = [
        f"{case}: {why}".removeprefix(": ")
        for case, process in processes.items()
        if (why := ended(process, until))
    ]
    found = {
        case: json.loads(path.read_text()) for case, path in paths.items() if path.exists()
    }
    errors += [case["error"] for case in found.values() if "error" in case]
    result = {"seconds": time.time() - start, "errors": errors, "cases": found}
    return result | ({"counts": counts_of_success(found)} if part == "success" else {})


def ended(process: subprocess.Popen[bytes], until: float) -> str | None:
    """Wait for a process and kill it, with its children, when time is over; return what failed."""
    try:
        code = process.wait(max(0.1, until - time.time()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return "killed: time was over"
    return f"ended with exit code {code}" if code else None


def run_contenders(args: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Run gpu_contenders.py; without PYTHONPATH if its libraries are found so."""
    start, path = time.time(), args.out / "contenders.json"
    path.unlink(missing_ok=True)
    sizes = ["--trials", f"1,{MAIN_CROWD}", "--limit", str(seconds - SPARE_S)]
    if args.tiny:
        sizes = [
            "--device",
            "cpu",
            "--lengths",
            "10",
            "--trials",
            "1,2",
            "--seconds",
            "0.01",
            "--limit",
            "100",
        ]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    look = "import importlib.util as i, sys; sys.exit(i.find_spec('torch') is None)"
    if subprocess.run([sys.executable, "-c", look], env=env, check=False).returncode:
        env = dict(os.environ)
        if subprocess.run([sys.executable, "-c", look], env=env, check=False).returncode:
            say("contenders: PyTorch is not installed")
            return {"seconds": 0.0, "errors": ["PyTorch is not installed"], "rows": []}
    script = SCRIPT.with_name("gpu_contenders.py")
    command = [sys.executable, str(script), *sizes, "--json", str(path)]
    process = subprocess.Popen(command, env=env, start_new_session=True)
    why = ended(process, start + (200 if args.tiny else seconds))
    found = json.loads(path.read_text()) if path.exists() else {"rows": [], "checks": []}
    return {"seconds": time.time() - start, "errors": [why] if why else []} | found


WORK = {
    "machine": machine,
    "speed": speed,
    "contract": contract,
    "success": success,
    "run": run,
    "reference": reference,
}


def work(args: argparse.Namespace) -> None:
    """Be one process of a part."""
    if args.part == "reference":
        reference(args, None)
        return
    found = Found(args.into)
    try:
        WORK[args.part](args, found)
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        found.keep(error=explain(error))


def names(text: str) -> list[str]:
    """Read names of parts, in the order in which they run."""
    given = text.split(",")
    if unknown := set(given) - set(LIMITS_S):
        raise argparse.ArgumentTypeError(
            f"no part is called {', '.join(sorted(unknown))}. Known: {', '.join(LIMITS_S)}"
        )
    return [name for name in LIMITS_S if name in given]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Check the engine fused_gpu on an NVIDIA card, and measure it."
    )
    parser.add_argument("--parts", type=names, default=list(LIMITS_S), metavar="A,B")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the JSON here"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "gpu-check", help="a folder to work in"
    )
    parser.add_argument("--limit", type=float, help="seconds in all")
    parser.add_argument(
        "--tiny", action="store_true", help="smallest sizes, for a simulator"
    )
    parser.add_argument("--part", choices=list(WORK), help=argparse.SUPPRESS)
    parser.add_argument("--case", default="", help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the parts one after another; print JSON and the table."""
    args = arguments()
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.part:
        work(args)
        return
    start = time.time()
    limit = args.limit or (TINY_LIMIT_S if args.tiny else LIMIT_S)
    path = args.json or args.out / "check.json"
    result: dict[str, Any] = {"started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    parts: dict[str, Any] = {}
    for part in args.parts:
        left = limit - (time.time() - start)
        if left < LEAST_S:
            say(f"\n== {part}: left out, time is over")
            continue
        seconds = min(left, TINY_LIMIT_S if args.tiny else LIMITS_S[part])
        say(f"\n== {part} (up to {seconds:.0f} s; {time.time() - start:.0f} s so far)")
        parts[part] = run_part(part, args, seconds)
        result |= {"seconds": time.time() - start, "parts": parts}
        write(path, result)
    table = goals(parts)
    wrong = failures(parts, args.parts)
    result |= {
        "goals": [vars(goal) | {"verdict": goal.verdict} for goal in table],
        "failures": wrong,
    }
    write(path, result)
    say("\n" + json.dumps(result, separators=(",", ":")))
    show(table)
    say(f"\n{result['seconds']:.0f} s in all; written to {path}")
    if wrong:
        raise SystemExit("\n".join(["", "Wrong:", *wrong]))
