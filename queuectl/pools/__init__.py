"""Pools of workers: who is alive, and what one does to them through the service manager."""
