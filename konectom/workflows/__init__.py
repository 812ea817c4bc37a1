"""The use cases, one file each, in plain functions: what the API and the command do."""
