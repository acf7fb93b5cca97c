"""What `service install` wrote, kept in the home: so that nothing else is ever overwritten or removed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import NamedTuple

from queuectl.errors import ServiceError
from queuectl.services import private

NAME = "service.json"


class Manifest(NamedTuple):
    """The files that were written for a manager."""

    manager: str
    """Its kind."""
    files: Mapping[str, tuple[str, ...]]
    """By path, the hashes of what was written there. While an install is under way there are two: what was there before
    it, and what will be there, whichever of the two a crash leaves."""

    def wrote(self, path: str, text: str) -> bool:
        """Whether `text` is what was written to `path`."""
        return digest(text) in self.files.get(path, ())


def load(home: str) -> Manifest | None:
    """The manifest of the installation at `home`; None if nothing is installed.

    Raises:
        ServiceError: it can't be read, or isn't one.
    """
    path = f"{home}/{NAME}"
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        files = {str(name): tuple(map(str, hashes)) for name, hashes in found["files"].items()}
        return Manifest(str(found["manager"]), files)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ServiceError(f"{path}: can't be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServiceError(
            f"{path}: expected the list of what `service install` wrote, got something else: {error!r}",
            hint=f"remove {path}; the next `service install` takes up files that are as it would write them",
        ) from error


def save(home: str, manifest: Manifest) -> None:
    """Keep `manifest`; an empty one is no installation.

    Raises:
        ServiceError: it can't be written.
    """
    path = f"{home}/{NAME}"
    if manifest.files:
        private.write(path, json.dumps(manifest._asdict(), indent=2) + "\n")
    else:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise private.unwritable(path, error) from error


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
