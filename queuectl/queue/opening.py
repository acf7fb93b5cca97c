"""Opening an installation's database. Apart from the library, so that `enqueue` need not import all of it."""

from __future__ import annotations

import os

from queuectl.config.installation import Installation, create, database_file
from queuectl.config.ownership import refuse_guest
from queuectl.domain.settings import Settings
from queuectl.errors import DatabaseDamaged, DatabaseForeign
from queuectl.storage.database import Database


def open_database(place: Installation, settings: Settings) -> Database:
    """The database of the installation; it and the home are made where they are missing.

    Raises:
        NotPermitted: there is none, and the home is another's.
        DatabaseError: one of its kinds; nothing was written.
    """
    path = database_file(place, settings)
    if not os.path.exists(path):
        # It would belong to whoever makes it.
        refuse_guest(place.home, "make a queue here, where there is none yet")
        create(place)
    try:
        return Database(path, synchronous=settings.synchronous)
    except (DatabaseDamaged, DatabaseForeign) as error:
        from queuectl.queue.damage import advised

        raise advised(error, place) from None
