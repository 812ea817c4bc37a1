"""The audit: who did or saw what, and that nobody changed it."""
