"""What scores say over years: baseline, change, trend, confirmed progression, norms, reliability."""
