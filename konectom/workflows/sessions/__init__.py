"""Sessions: received and kept, computed at once or later, read again, held where they were refused, and told of."""
