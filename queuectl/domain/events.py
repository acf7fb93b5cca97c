"""The life-cycle events of workers and jobs, as their logs name them."""

from __future__ import annotations

EVENTS = {
    "worker.waiting": "another process has this worker's name, or the database can't be opened yet",
    "worker.started": "the worker serves its queues",
    "worker.draining": "it claims nothing more, and stays",
    "worker.stopping": "it claims nothing more, and ends when its jobs have",
    "worker.hastened": "its jobs are being ended now, and given back",
    "worker.stopped": "it ends",
    "worker.failed": "it can't go on; `reason` or `traceback` says why",
    "worker.reloaded": "it goes on as another program, or with another configuration, under the same PID",
    "worker.reload_refused": "the new program or configuration is no good; it goes on as it was",
    "worker.recycled": "it did so many jobs, or grew so large, that it begins anew by a reload",
    "worker.died": "another process ended without a word, `worker` and `pid` say which; what it left is ended now",
    "worker.hung": "the former process of its name ended without a word, `seconds` after its last beat",
    "worker.state": "what it does just now, as asked for by USR1",
    "leader.elected": "it does the maintenance from now on",
    "leader.retention": "jobs that ended long ago were forgotten",
    "leader.backup": "a copy of the database was made; `said` names it",
    "leader.backup_failed": "a copy of the database could not be made; `reason` says why; it is tried again",
    "job.started": "an attempt began",
    "job.completed": "an attempt ended with exit 0",
    "job.failed": "an attempt failed; the job will be retried",
    "job.dead": "an attempt failed, and no retry is left",
    "job.cancelled": "the job was ended because somebody cancelled it",
    "job.released": "an attempt was ended without counting: the worker stops, or the machine was started anew",
    "job.recovered": "an attempt whose worker is gone was ended in its place",
    "job.fenced": "a result came too late: the attempt had been ended by another",
    "job.stuck": "a process of the job can't be signalled; the job stays processing until it is gone",
    "database.unsafe": "its SQLite is one that can corrupt a database which several processes write",
    "database.trouble": "the database can't be written; results are kept, nothing is claimed",
    "database.well": "it can be written again",
    "database.gone": "the database was removed; the worker ends",
    "disk.low": "less than min_free_space is free; nothing is claimed",
    "disk.well": "there is room again",
}
"""name -> what it means."""
