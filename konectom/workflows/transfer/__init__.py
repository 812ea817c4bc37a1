"""Carrying an installation elsewhere, whole: to another store, to a backup, and back.

One machinery does all three. Every table of the models is copied row by row as it is stored (:mod:`.rows`), in bounded
batches, to a database that nobody can serve before it is complete (:mod:`.target`, :mod:`.copying`); what came of it is
compared with the source by digests that tell a different bit (:mod:`.contents`); the objects of which rows speak follow
(:mod:`.objects`). :mod:`.migrating` moves a store, :mod:`.backing_up`, :mod:`.checking` and :mod:`.restoring` are about
backups, whose form :mod:`.manifest` and :mod:`.erased` describe.
"""
