"""What scores say over years: windows, baseline, practice, noise, change, trend, confirmed progression, adherence.

Numbers in, frozen results out: nothing here reads a database, a clock or a file. Time is ``at_day``: float64 days since
1970-01-01T00:00Z, an instant, so that no clock change moves anything.
"""
