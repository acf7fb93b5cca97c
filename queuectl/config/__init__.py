"""Where an installation lies, and what it is set to: YAML, environment and options become `Settings`.

YAML is imported only where there is a file to read: a bare home, which most have, costs nothing.
"""
