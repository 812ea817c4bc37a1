"""Campaigns: recordings computed again, first to see what would change, then for good.

``decisions`` are what people say of a campaign, ``choice`` is which recordings it is about, and ``sources`` what it
tries again beside them. ``runs`` does the work: ``loads`` brings sessions to the ``pool`` of processes, where
``recompute`` is the function that computes; ``dry_run`` compares what comes back (``differences``), ``keeping`` writes
it. ``rows`` is the campaign's own row meanwhile.
"""
