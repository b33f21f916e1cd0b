"""One file for each system that the course trains."""
