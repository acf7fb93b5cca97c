"""Looking at an installation: what is well, what isn't, and what to do about it. Nothing here changes anything."""
