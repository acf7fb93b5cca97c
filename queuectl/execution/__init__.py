"""One attempt of a job: its processes, its output, its end."""
