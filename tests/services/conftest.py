"""Homes whose workers are stand-ins."""

from worker_home import home as home
