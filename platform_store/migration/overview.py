"""Long operations as ``jobs`` shows them."""

from __future__ import annotations

from platform_store.records import JobDescription
from platform_store.stores.jobs import MOVE_COLUMN, Job, JobStore


def descriptions(jobs: JobStore) -> list[JobDescription]:
    """Every job, the newest first."""
    return [_description(jobs, job) for job in jobs.all()]


def _description(jobs: JobStore, job: Job) -> JobDescription:
    ended = job.status in ("done", "rolled-back")
    if job.kind == MOVE_COLUMN:
        rows, detail = int(job.state.get("rows", 0)), f"{', '.join(job.spec['columns'])} to {job.spec['to']}"
    else:
        rows = sum(int(part.state.get("rows", 0)) for part in jobs.parts(job.id))
        detail = f"{job.spec['mode']} {job.spec['direction']}"
    phase = "" if ended else str(job.state.get("phase", ""))
    if job.state.get("back") and not ended:
        phase = f"back: {phase}"
    if error := job.state.get("error"):
        detail = f"{detail}: {error}"
    return JobDescription(job.id, job.kind, job.table, job.status, phase, rows, detail, job.seconds_since)
