"""Tools of those who write the course: the set-up cell, its stamp, execution of notebooks, the lock."""
