"""Workers as programs of a supervisord.

Nothing here imports the package `supervisor`: the daemon is a process, and its XML-RPC needs no more than the standard
library, which loads in half the time of supervisor's own transport and warns of nothing.
"""
