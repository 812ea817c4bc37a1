"""The REST API: one module per resource, each view its own contract; the workflows do the work."""
