"""What scores say over time: trends, what is found in them, alerts and reviews, and how much is noise."""
