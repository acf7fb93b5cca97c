"""The command line: one file a group of commands, each imported only when it is called."""

import gc

# A command imports a lot, keeps all of it, and ends: collections on the way find nothing, and took 5 % of its time.
# A worker, which lives long, still has them, if seldom.
gc.set_threshold(50_000)
