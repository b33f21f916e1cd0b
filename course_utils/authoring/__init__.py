"""Tools for authors: the set-up cell, its stamp, execution of notebooks, the lock file."""
