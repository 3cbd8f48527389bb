"""Made-up events of a log of attempts for tests."""

from sweeps.store.events import Failed, Finished, Session


def session(
    *numerics_ids: str, commit: str | None = None, experiment: str = "small"
) -> Session:
    """A run that began under these numerics, or under some."""
    return Session(
        experiment=experiment,
        budget=20,
        argv=(experiment, "--budget", "20"),
        numerics_ids=numerics_ids or ("plain-000000000000",),
        machine="x86_64",
        system="Linux",
        python="3.11.7",
        libc="glibc 2.36",
        cpus=2,
        versions={"torch": "2.13.0", "ray": None},
        commit=commit,
    )


def finished(
    trial_id: str,
    *,
    made: int = 20,
    seconds: float = 1.0,
    numerics_id: str = "plain-000000000000",
    host: str = "",
) -> Finished:
    return Finished(
        trial_id=trial_id,
        outcome="unsolved",
        updates=20,
        made=made,
        seconds=seconds,
        numerics_id=numerics_id,
        host=host,
    )


def failed(trial_id: str, error: str = "RuntimeError: fire") -> Failed:
    return Failed(trial_id=trial_id, error=error, traceback=f"Traceback\n{error}\n")
