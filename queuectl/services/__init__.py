"""Service managers: who keeps the workers running. One protocol, so that pools don't know which one it is."""
