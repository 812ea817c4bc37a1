"""What clinicians and laboratories found: entered one by one or many at once."""
