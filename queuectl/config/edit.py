"""Changing settings by command: files in config.d that queuectl writes, so that a person's YAML never is rewritten."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from queuectl.config.check import Setting
from queuectl.config.installation import Installation, create, hand_over, refused, sync_directory
from queuectl.config.keys import Entry, Key, Named, find
from queuectl.config.layers import Config, read_file, typed
from queuectl.domain.sharing import file_mode
from queuectl.errors import ConfigError, Problem, UsageError

SET_FILE = "50-set.yaml"
"""What `config set` writes."""
SCALE_FILE = "60-scale.yaml"
"""What `worker scale` and `worker start --count` write; it wins over SET_FILE, since it is read later."""
_FILES = (SET_FILE, SCALE_FILE)

_HEADER = "# Written by queuectl (config set, worker scale): change it by these, or `queuectl config reset`.\n"


def set_value(installation: Installation, key: str, text: str, file: str = SET_FILE) -> None:
    """Set a key, or a whole section, from what was typed; what it had before in queuectl's files gives way.

    A single value counts as it was typed: `no` is the text no. Lists, mappings and quotes are YAML's.
    Safe against others who do the same at once, and against a power cut.

    Raises:
        UsageError: no such key, or not what it expects.
        ConfigError: the file that queuectl wrote has been damaged since.
        DatabaseReadOnly, DiskFull: the home can't be written.
    """
    name, entry = _find(key)
    new = typed(_value(name, text, entry), name, name, entry)
    create(installation)
    with _locked(installation):
        # The last command wins: in the files that are read after this one, the key must not be left.
        for later in _FILES[_FILES.index(file) :]:
            old = _read(installation, later)
            kept = {at: setting for at, setting in old.items() if not _within(at, name)}
            _write(installation, later, old, kept | new if later == file else kept)


def unset_value(installation: Installation, key: str, file: str | None = None) -> bool:
    """Take back what queuectl's files, or one of them, say of a key and of the keys below it. True if there was any.

    Raises:
        UsageError: no such key.
        ConfigError, DatabaseReadOnly, DiskFull: as in `set_value`.
    """
    name, _ = _find(key)
    if not os.path.isdir(installation.config_dir):
        return False
    changed = False
    with _locked(installation):
        for each in (file,) if file else _FILES:
            old = _read(installation, each)
            kept = {at: setting for at, setting in old.items() if not _within(at, name)}
            changed |= kept != old
            _write(installation, each, old, kept)
    return changed


def reset(installation: Installation) -> list[str]:
    """Remove the files that queuectl wrote, whatever is in them; the paths of those that were there.

    Raises:
        DatabaseReadOnly: the home can't be written.
    """
    if not os.path.isdir(installation.config_dir):
        return []
    with _locked(installation):
        paths = [os.path.join(installation.config_dir, file) for file in _FILES]
        removed = [path for path in paths if _remove(path)]
        sync_directory(installation.config_dir)
    return removed


def get_value(config: Config, key: str) -> object:
    """The typed value of a key; of a section, what is below it as a dict.

    Raises:
        UsageError: no such key, or no such pool.
    """
    name, entry = _find(key)
    if isinstance(entry, Key) and name in config.values:
        return config.values[name]
    below = {at: value for at, value in config.values.items() if at.startswith(name + ".")}
    if below or (isinstance(entry, Named) and name.split(".")[1] in config.settings.pools):
        nested: Any = _nested(below)
        for part in name.split(".", 3) if below else ():
            nested = nested[part]
        return nested
    if name.split(".")[1] not in config.settings.pools:
        raise UsageError(f"no pool {name.split('.')[1]!r}; there are {', '.join(config.settings.pools)}")
    raise UsageError(f"{name} isn't set")


def _find(key: str) -> tuple[str, Entry]:
    try:
        return find(key.strip())
    except ValueError as error:
        raise UsageError(str(error)) from None


def _value(name: str, text: str, entry: Entry) -> object:
    if isinstance(entry, Key) and text.strip()[:1] not in tuple("[{\"'"):
        return text
    from queuectl.config.document import parse

    node, problems = parse(text, name)
    if problems:
        raise UsageError("\n".join(f"{name}: {problem.message}" for problem in problems))
    return node


def _within(name: str, section: str) -> bool:
    return name == section or name.startswith(section + ".")


@contextmanager
def _locked(installation: Installation) -> Iterator[None]:
    path = os.path.join(installation.config_dir, ".lock")
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise refused(error, path) from error
    try:
        hand_over(fd, installation)
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise refused(error, installation.config_dir) from error
    finally:
        os.close(fd)


def _read(installation: Installation, file: str) -> dict[str, Setting]:
    problems: list[Problem] = []
    found = read_file(os.path.join(installation.config_dir, file), problems)
    if problems:
        raise ConfigError(problems, hint="correct that file, or remove it with `queuectl config reset`")
    return found


def _write(installation: Installation, file: str, old: Mapping[str, Setting], new: Mapping[str, Setting]) -> None:
    if new == old:
        return
    path = os.path.join(installation.config_dir, file)
    if not new:
        _remove(path)
    else:
        import yaml

        plain = {name: _plain(name, setting.value) for name, setting in new.items()}
        # In ASCII: PyYAML doesn't read back all that it writes otherwise (U+0085 becomes a space).
        text = _HEADER + yaml.safe_dump(_nested(plain), default_flow_style=False)
        _replace(installation, path, text.encode("ascii"))
    sync_directory(installation.config_dir)


def _plain(name: str, value: object) -> object:
    entry = find(name)[1]
    return entry.kind.show(value) if isinstance(entry, Key) else value


def _nested(flat: Mapping[str, object]) -> dict[str, Any]:
    """`{"pools.default.workers": 2}` as `{"pools": {"default": {"workers": 2}}}`."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *above, last = name.split(".", 3)
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        if value == {}:  # a pool that sets nothing
            place.setdefault(last, {})
        else:
            place[last] = value
    return tree


def _replace(installation: Installation, path: str, content: bytes) -> None:
    """Put `content` at `path`, all or nothing. Under the lock: the temporary name is ours alone."""
    temporary = path + ".new"
    _remove(temporary)  # of somebody who was killed
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(content)
            file.flush()
            hand_over(fd, installation)
            mode = file_mode(os.stat(installation.config_dir).st_mode)
            if mode != 0o600:  # whatever the umask
                os.fchmod(fd, mode)
            os.fsync(fd)
        os.rename(temporary, path)
    except OSError:
        _remove(temporary)
        raise


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
