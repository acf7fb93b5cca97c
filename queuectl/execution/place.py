"""Where the outputs of attempts lie: `output/ID/N` in the home."""

from __future__ import annotations

import os


def output_directory(outputs: str, job_id: str) -> str:
    """The directory of a job's outputs; ids were checked at the door to be plain names."""
    return os.path.join(outputs, job_id)


def output_path(outputs: str, job_id: str, number: int) -> str:
    """The file that attempt `number` of the job writes."""
    return os.path.join(outputs, job_id, str(number))


def forget_outputs(outputs: str, job_id: str) -> None:
    """Remove all outputs of the job; there may be none."""
    import shutil  # 2 ms, for the rare command that removes

    shutil.rmtree(output_directory(outputs, job_id), ignore_errors=True)
