"""What keeps people's data theirs: who may do what, keys, secrets, the chain of the audit. No database, no server."""
