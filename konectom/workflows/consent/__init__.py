"""What may be collected and shown: what patients agreed to, type by type of data, and what was restricted since."""
