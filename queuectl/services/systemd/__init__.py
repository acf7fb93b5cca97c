"""Workers as units of systemd, of the system's or of a person's."""
