"""Where things are kept: rows in a database, raw bytes in an object store."""
