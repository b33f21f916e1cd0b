"""The famous systems, one file each: which network, which condition, which wrappers."""
