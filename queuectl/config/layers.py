"""The layers of a configuration, and what they come to.

Later wins: built-in < the installation's YAML < config.d/*.yaml by name < QUEUECTL_<KEY> < options.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from queuectl.config.check import Setting, check
from queuectl.config.installation import Installation
from queuectl.config.keys import POOL, ROOT, Entry, Key, find, listed
from queuectl.config.spelling import nearest
from queuectl.config.tree import MAX_BYTES, Node
from queuectl.domain.settings import Pool, Service, Settings
from queuectl.errors import ConfigError, Problem, UsageError

_PREFIX = "QUEUECTL_"
_NOT_SETTINGS = frozenset({"HOME", "CONFIG", "JOB_ID", "ATTEMPT", "QUEUE", "POOL", "SLOT", "RUN"})
"""Where the installation is, and what a worker tells its jobs."""


class Config(NamedTuple):
    """What an installation is set to. The mappings go by flat dotted key: `max_retries`, `pools.default.workers`."""

    settings: Settings
    origins: Mapping[str, str]
    """`built-in`, `FILE:LINE`, the environment variable, or the option."""
    values: Mapping[str, object]
    """Typed as in Settings (seconds, bytes); `keys.show` says them as people do."""


def load(installation: Installation, environ: Mapping[str, str], flags: Mapping[str, object] | None = None) -> Config:
    """Read all layers. `flags` are options by dotted key; None among their values means not given.

    Raises:
        ConfigError: with all that is wrong in files and environment.
        UsageError: one of `flags` is wrong.
    """
    problems: list[Problem] = []
    found = _built_in()
    for source in _sources(installation, problems):
        found |= source
    found |= _from_environment(environ, problems)
    if problems:
        raise ConfigError(problems)
    found |= _from_flags(flags or {})
    _complete_pools(found)
    names = sorted(found, key=_by_table)
    return Config(
        _settings(found),
        {name: _short(found[name].origin, installation) for name in names},
        {name: found[name].value for name in names},
    )


def read_file(path: str, problems: list[Problem], must_exist: bool = False) -> dict[str, Setting]:
    """What a YAML file sets, by dotted key; what is wrong with it is added to `problems`."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            if must_exist:
                problems.append(Problem(path, "no such file; it was named by --config or QUEUECTL_CONFIG"))
        else:
            advice = "; run as its owner, or with --user for an installation of your own"
            reason = f"expected a readable YAML file, got: {os.strerror(error.errno or 0).lower()}"
            problems.append(Problem(path, reason + (advice if isinstance(error, PermissionError) else "")))
        return {}
    if not data.strip():
        return {}
    from queuectl.config.document import parse

    node, wrong = parse(data, path)
    found = check(node, wrong)
    problems.extend(sorted(wrong, key=lambda problem: int(problem.where.rpartition(":")[2])))
    return found


def _built_in() -> dict[str, Setting]:
    found = {name: Setting(key.default, "built-in") for name, key in listed() if not name.startswith("pools.")}
    return found | {"pools.default": Setting({}, "built-in")}


def _sources(installation: Installation, problems: list[Problem]) -> Iterator[dict[str, Setting]]:
    yield read_file(installation.config_file, problems, installation.explicit_config)
    stem = installation.config_file.removesuffix(".yaml")
    if not installation.explicit_config and os.path.exists(f"{stem}.yml"):
        problems.append(Problem(f"{stem}.yml", "expected a name that ends in .yaml: this file isn't read; rename it"))
    try:
        names = sorted(os.listdir(installation.config_dir))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        place = installation.config_dir
        problems.append(Problem(place, f"expected a readable directory, got: {os.strerror(error.errno or 0).lower()}"))
        return
    for name in names:
        path = os.path.join(installation.config_dir, name)
        if name.startswith("."):
            continue
        if name.endswith(".yaml"):
            yield read_file(path, problems)
        elif name.endswith(".yml"):
            problems.append(Problem(path, "expected a name that ends in .yaml: this file isn't read; rename it"))


def _from_environment(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, Setting]:
    keys = {name.upper().replace(".", "_"): name for name, _ in listed() if not name.startswith("pools.")}
    found: dict[str, Setting] = {}
    for variable in sorted(name for name in environ if name.startswith(_PREFIX)):
        word = variable[len(_PREFIX) :]
        text = environ[variable].strip()
        if word in _NOT_SETTINGS or not text:  # set to nothing counts as not set, as everywhere in the shell
            continue
        if word in keys:
            found |= check(Node(text, variable), problems, find(keys[word])[1], keys[word])
        elif near := nearest(word.upper(), [*keys, "HOME", "CONFIG"], 0.8):
            # What isn't near to a key is somebody else's: a job may name its own variables so.
            problems.append(Problem(variable, f"no such setting; did you mean {_PREFIX}{near}?"))
    return found


def _from_flags(flags: Mapping[str, object]) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for flag, value in flags.items():
        if value is None:
            continue
        option = "--" + flag.replace("_", "-")
        try:
            name, entry = find(flag)
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from None
        found |= typed(value, option, name, entry)
    return found


def typed(value: object, option: str, name: str, entry: Entry) -> dict[str, Setting]:
    """What a value from the command line sets, by dotted key.

    Raises:
        UsageError: it isn't what the key expects.
    """
    problems: list[Problem] = []
    found = check(value if isinstance(value, Node) else Node(_tree(value, option), option), problems, entry, name)
    if problems:
        raise UsageError("\n".join(problem.message for problem in problems))
    return {key: Setting(setting.value, option) for key, setting in found.items()}


def _tree(value: object, where: str) -> object:
    if isinstance(value, dict):
        return {str(key): Node(_tree(child, where), where) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [Node(_tree(item, where), where) for item in value]
    return value


def _complete_pools(found: dict[str, Setting]) -> None:
    """Each pool gets the keys that no layer gave it, and loses the mark that it is there."""
    for pool in dict.fromkeys(name.split(".")[1] for name in found if name.startswith("pools.")):
        found.pop(f"pools.{pool}", None)
        for key, entry in POOL.keys.items():
            if isinstance(entry, Key):
                found.setdefault(f"pools.{pool}.{key}", Setting(entry.default, "built-in"))


def _settings(found: Mapping[str, Setting]) -> Settings:
    fields: dict[str, Any] = {}
    pools: dict[str, dict[str, Any]] = {}
    service: dict[str, Any] = {}
    for name, setting in found.items():
        parts = name.split(".", 3)
        if parts[0] == "pools":
            pool = pools.setdefault(parts[1], {"env": {}, "directives": {}})
            if len(parts) == 4:
                pool[parts[2]][parts[3]] = setting.value
            else:
                pool[parts[2]] = setting.value
        elif parts[0] == "service":
            service[parts[1]] = setting.value
        else:
            fields[name.replace(".", "_")] = setting.value
    in_order = {name: Pool(name, **pools[name]) for name in sorted(pools, key=_default_first)}
    return Settings(**fields, pools=in_order, service=Service(**service))


def _by_table(name: str) -> tuple[int, tuple[bool, str], int, str]:
    parts = [*name.split(".", 3), "", ""]
    inner = list(POOL.keys).index(parts[2]) if parts[0] == "pools" else 0
    return list(ROOT.keys).index(parts[0]), _default_first(parts[1]), inner, name


def _default_first(pool: str) -> tuple[bool, str]:
    return pool != "default", pool


def _short(origin: str, installation: Installation) -> str:
    inside = origin.startswith(installation.config_dir + "/")
    return origin.removeprefix(installation.home + "/") if inside else origin
