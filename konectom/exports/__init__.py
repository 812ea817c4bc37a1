"""Writers of what leaves the system: rows in, bytes out, a piece at a time."""
