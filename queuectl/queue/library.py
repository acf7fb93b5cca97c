"""The library: a queue in another program, and what the command line is made of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from queuectl.config import installation as places
from queuectl.config import layers
from queuectl.config.ownership import is_guest
from queuectl.config.spelling import did_you_mean
from queuectl.domain.actor import is_by
from queuectl.domain.clock import now_ms
from queuectl.domain.intake import Defaults, defaults, read_job
from queuectl.domain.job import Attempt, Job, NewJob, accepted
from queuectl.domain.settings import Settings
from queuectl.domain.states import State
from queuectl.errors import DuplicateJob, InvalidJob, NotPermitted, UsageError, WrongState
from queuectl.execution.place import forget_outputs, output_path
from queuectl.queue.opening import open_database
from queuectl.queue.waiting import wait_for
from queuectl.storage import changes, enqueue, queries


class Queue:
    """An installation's queue.

    Safe from several threads, and after a fork. Don't open the queue's file with another SQLite library in the same
    process: closing a file in one drops the other's locks, and what was committed can vanish.
    """

    def __init__(self, config: str | None = None, home: str | None = None) -> None:
        """Open the queue of the YAML at `config` and of the directory `home`; each is found as the command line
        finds it (see docs/configuration.md) where it is None. What is missing is made.

        Raises:
            ConfigError: the configuration can't be used.
            DatabaseError: one of its kinds; nothing was written.
        """
        place = places.locate(home, config, False, os.environ)
        self._open(place, layers.load(place, os.environ).settings)

    @classmethod
    def at(cls, place: places.Installation, settings: Settings) -> Queue:
        """The queue of an installation whose settings are known already."""
        queue = cls.__new__(cls)
        queue._open(place, settings)
        return queue

    def _open(self, place: places.Installation, settings: Settings) -> None:
        self.installation = place
        self.settings = settings
        self.database = open_database(place, settings)
        self._guest = is_guest(place.home)

    def enqueue(self, command: str | Sequence[str], **keys: object) -> Job:
        """Queue one job: a text for the shell, or a list of a program and its arguments. It is on disk when this
        returns; what is returned is the job as it was accepted, which may run already. `keys` are those of a job's
        JSON (docs/jobs.md), but for command and argv.

        Raises:
            InvalidJob: a key is unknown, or its value is no good.
            DuplicateJob: the id is taken, or an unended job has the unique key.
            DatabaseError: nothing was written, unless it is DatabaseUnsure: then nobody knows.
        """
        what = "command" if isinstance(command, str) else "argv"
        job = read_job({what: command if isinstance(command, str) else list(command), **keys}, self.defaults())
        # Not read from the database: an error of that would look as if the job weren't in.
        now = now_ms()
        (job_id,) = enqueue.insert(self.database, [job], now)
        return accepted(job, job_id, self.database.actor, now)

    def enqueue_many(self, jobs: Iterable[Mapping[str, object] | str]) -> Sequence[str]:
        """Queue jobs, each a text for the shell or the keys of a job's JSON; all in one transaction, or none. Returns
        their ids. Raises as `enqueue` does; the message names the job by its place, from 1."""
        given = self.defaults()
        read: list[NewJob] = []
        for index, job in enumerate(jobs, 1):
            try:
                read.append(read_job({"command": job} if isinstance(job, str) else dict(job), given))
            except InvalidJob as error:
                raise InvalidJob(f"job {index}: {error}", key=error.key, hint=error.hint) from None
        try:
            return self.insert(read)
        except DuplicateJob as error:
            raise DuplicateJob(f"job {error.index + 1}: {error}", index=error.index, hint=error.hint) from None

    def defaults(self, *, held: bool = False) -> Defaults:
        """What a job enqueued now, from this working directory, gets where it says nothing."""
        return defaults(self.settings, now=now_ms(), cwd=os.getcwd(), held=held)

    def insert(self, jobs: Sequence[NewJob]) -> list[str]:
        """Write jobs that passed the door; returns their ids. Raises DuplicateJob, DatabaseError."""
        return enqueue.insert(self.database, jobs, now_ms()) if jobs else []

    def get(self, id: str) -> Job:  # noqa: A002 - the word that a caller would use
        """The job with that id, or the only one whose id begins so.

        Raises:
            NoSuchJob, AmbiguousId: there is none; there are several.
        """
        return queries.get(self.database, id)

    def attempts(self, id: str) -> list[Attempt]:  # noqa: A002
        """All executions of the job, the first one first. Raises as `get` does."""
        return queries.attempts(self.database, id)

    def jobs(
        self,
        *,
        states: Iterable[State | str] = (),
        queue: str | None = None,
        tags: Iterable[str] = (),
        search: str | None = None,
        since: int | None = None,
        by: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """The jobs that all of these fit, the newest first. `search` is a part of the id, command or description,
        `since` milliseconds since the epoch, `by` the login name of who enqueued them.

        Raises:
            UsageError: there is no such state.
        """
        which = queries.Filter(tuple(map(_state, states)), queue, tuple(tags), search, since, by)
        return queries.jobs(self.database, which, limit)

    def wait(self, id: str, timeout: float | None = None) -> Job:  # noqa: A002
        """The job once it has ended: completed, dead or cancelled. `timeout` in seconds; None = as long as it takes.

        Raises:
            WaitTimeout: it hadn't ended by then.
            NoSuchJob, AmbiguousId: as `get` does.
        """
        return wait_for(self.database, id, timeout)

    def cancel(self, id: str, reason: str = "cancelled") -> Job:  # noqa: A002
        """Cancel the job; one that runs is ended by its worker, soon after this returns.

        Raises:
            WrongState: it has ended already.
            NotPermitted: the home is another's, and somebody else enqueued the job.
            NoSuchJob, AmbiguousId: as `get` does.
        """
        row, found = self._own_job(id)
        done = changes.cancel(self.database, [row], reason, now_ms())
        job = self.get(found)
        if not done and job.state is not State.PROCESSING:
            raise WrongState(f"job {found} is {job.state}: it can't be cancelled any more")
        return job

    def hold(self, id: str, reason: str = "held") -> Job:  # noqa: A002
        """Keep the job from running until `release`. Raises as `cancel` does."""
        row, found = self._own_job(id)
        if not changes.hold(self.database, [row], reason, now_ms()):
            raise WrongState(f"job {found} is {self.get(found).state}: only a job that waits can be held")
        return self.get(found)

    def release(self, id: str) -> Job:  # noqa: A002
        """Let a held job go. Raises as `cancel` does."""
        row, found = self._own_job(id)
        if not changes.unhold(self.database, [row], now_ms()):
            raise WrongState(f"job {found} is {self.get(found).state}, not held")
        return self.get(found)

    def retry(self, id: str, *, keep_attempts: bool = False) -> Job:  # noqa: A002
        """Run an ended job again, with all its retries or, to `keep_attempts`, exactly once.

        Raises:
            WrongState: it hasn't ended.
            DuplicateJob: another job has its unique key by now.
            NotPermitted, NoSuchJob, AmbiguousId: as `cancel` does.
        """
        row, found = self._own_job(id)
        try:
            done = changes.retry(self.database, [row], now_ms(), keep_attempts=keep_attempts)
        except DuplicateJob:
            key = self.get(found).unique_key
            raise DuplicateJob(f"job {found}: another job with unique_key {key!r} has not ended") from None
        if not done:
            raise WrongState(f"job {found} is {self.get(found).state}: only a job that has ended can be retried")
        return self.get(found)

    def remove(self, id: str) -> None:  # noqa: A002
        """Forget the job, its attempts and its output.

        Raises:
            WrongState: it runs.
            NotPermitted, NoSuchJob, AmbiguousId: as `cancel` does.
        """
        row, found = self._own_job(id)
        if not changes.remove(self.database, [row], now_ms()):
            raise WrongState(f"job {found} is processing", hint=f"`queuectl cancel {found}` first")
        forget_outputs(self.installation.output, found)

    def changeable(self, which: queries.Filter) -> queries.Filter:
        """The filter, narrowed to the jobs that this process may change: a guest's own, for others all."""
        return which._replace(by=self.database.actor) if self._guest else which

    def _own_job(self, id_or_prefix: str) -> tuple[int, str]:
        """The row and the id of a job that this process may change. Raises NotPermitted, NoSuchJob, AmbiguousId."""
        row, found = queries.resolve(self.database, id_or_prefix)
        by = self.get(found).enqueued_by if self._guest else None
        if self._guest and not is_by(by, self.database.actor):
            raise NotPermitted(
                f"job {found} was enqueued by {by or 'nobody on record'}, and you are {self.database.actor}",
                hint="only who enqueued a job, the owner of the queue and root may change it",
            )
        return row, found

    def output_path(self, id: str, number: int) -> str:  # noqa: A002
        """The file that attempt `number` of the job with exactly that id writes; it may be gone, or not be yet."""
        return output_path(self.installation.output, id, number)

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connection; the queue opens it again when it is used."""
        self.database.close()


def _state(word: State | str) -> State:
    try:
        return State(word)
    except ValueError:
        raise UsageError(
            f"no state {word!r}{did_you_mean(word, [state.value for state in State])}",
            hint=f"there are: {', '.join(State)}",
        ) from None
