"""What researchers take home as tables."""
