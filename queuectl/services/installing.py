"""Bringing queuectl's files into a service manager of the system, and out of it again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

from queuectl.errors import ServiceError
from queuectl.services import manifest as kept
from queuectl.services.changes import Change, changes, read
from queuectl.services.manager import SystemManager, WorkerUnit
from queuectl.services.manifest import Manifest, digest


def pending(manager: SystemManager, home: str, units: Sequence[WorkerUnit]) -> list[Change]:
    """What `install` would change on the disk.

    Raises:
        ConfigError: a setting can't be written in the manager's format.
        ServiceError: it is installed for another manager.
    """
    return changes(manager.render(units), _mine(manager, home).files)


def check(manager: SystemManager, home: str, found: Sequence[Change]) -> None:
    """See that `found` only touches what queuectl wrote itself, and that the manager will understand it.

    Raises:
        ServiceError: a file is somebody else's, or was changed by hand, or isn't understood.
    """
    manifest = _mine(manager, home)
    foreign = [
        change for change in found if change.before is not None and not manifest.wrote(change.path, change.before)
    ]
    if foreign:
        raise _refusal(manifest, foreign)
    texts = {change.path: change.after for change in found if change.after is not None}
    if texts:
        manager.verify(texts)


def install(
    manager: SystemManager, home: str, units: Sequence[WorkerUnit], found: Sequence[Change], start: bool = True
) -> Sequence[WorkerUnit]:
    """Make the changes `found`, and have the manager take them up; the units that were started or restarted.

    Raises:
        ServiceError: a file can't be written, or the manager refuses.
    """
    check(manager, home, found)
    manifest = _mine(manager, home)
    # What is as it should be already is ours from now on, also where the manifest was lost.
    rendered = manager.render(units)
    same = {path: (digest(text),) for path, text in rendered.items() if read(path) == text}
    files = {**manifest.files, **same}
    for change in found:
        texts = (change.before, change.after)
        files[change.path] = tuple(digest(text) for text in texts if text is not None)
    kept.save(home, manifest._replace(files=files))
    for change in found:
        _put(change)
    for change in found:
        if change.after is None:
            del files[change.path]
        else:
            files[change.path] = (digest(change.after),)
    kept.save(home, manifest._replace(files=files))
    return manager.take_up(found, units, start)


def settle(manager: SystemManager, home: str, units: Sequence[WorkerUnit]) -> None:
    """Have the files say that `units` are the workers, where they say something else; how workers run stays as it is.

    Raises:
        ServiceError: as `install`, and where nothing is installed.
    """
    if kept.load(home) is None:
        raise ServiceError(
            f"expected the files of {manager.kind} for {home}, got none: nothing is installed",
            hint="queuectl service install",
        )
    roster = [change for change in pending(manager, home, units) if manager.is_roster(change)]
    if roster:
        install(manager, home, units, roster, start=False)


def uninstall(manager: SystemManager, home: str) -> list[str]:
    """Stop the workers and remove what was written; the paths of what was removed.

    Raises:
        ServiceError: a file was changed by hand, or can't be removed.
    """
    manifest = _mine(manager, home)
    there = {path: text for path in manifest.files if manager.owns(path) and (text := read(path)) is not None}
    foreign = [Change(path, text, None) for path, text in there.items() if not manifest.wrote(path, text)]
    if foreign:
        raise _refusal(manifest, foreign)
    manager.withdraw()
    for path in sorted(there):
        _put(Change(path, there[path], None))
    kept.save(home, manifest._replace(files={}))
    manager.forget(sorted(there))
    return sorted(there)


def _mine(manager: SystemManager, home: str) -> Manifest:
    """What was installed for this manager."""
    found = kept.load(home)
    if found is None:
        return Manifest(manager.kind, {})
    if found.manager != manager.kind:
        raise ServiceError(
            f"{home} is installed for {found.manager}, and service.manager says {manager.kind}",
            hint="first: queuectl service uninstall, with service.manager auto",
        )
    # The manifest lies in the home, which is the service's user's: it must not make root touch anything else.
    return found._replace(files={path: hashes for path, hashes in found.files.items() if manager.owns(path)})


def _refusal(manifest: Manifest, foreign: Sequence[Change]) -> ServiceError:
    lines = [
        f"{change.path}: " + ("was changed by hand" if change.path in manifest.files else "is not from here")
        for change in foreign
    ]
    return ServiceError(
        "\n".join(
            [
                "expected files that `service install` of this home wrote; nothing was done:",
                *(f"  {line}" for line in lines),
            ]
        ),
        hint="keep what you need of them elsewhere (in a drop-in: systemctl edit), remove them, and try again",
    )


def _put(change: Change) -> None:
    """Bring the file to what it should be, at once: a reader sees the old or the new."""
    path, above = change.path, os.path.dirname(change.path)
    try:
        if change.after is None:
            os.unlink(path)
            return
        os.makedirs(above, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".queuectl-", suffix=".tmp", dir=above)
        try:
            with open(handle, "w", encoding="utf-8", newline="") as file:
                file.write(change.after)
                os.fchmod(file.fileno(), 0o644)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except FileNotFoundError:
        if change.after is not None:
            raise
    except PermissionError as error:
        raise ServiceError(
            f"{path}: can't be written: {(error.strerror or '').lower()}", hint="that takes root"
        ) from error
    except OSError as error:
        raise ServiceError(f"{path}: can't be written: {(error.strerror or str(error)).lower()}") from error
