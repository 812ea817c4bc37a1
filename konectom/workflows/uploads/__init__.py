"""Sessions that are handed over in pieces, and may be resumed at any byte.

``opening`` begins, shows and ends an upload, ``receiving`` adds bytes to it, ``pieces`` keeps them, ``completing``
makes a session of them, ``clearing`` removes what is not needed any more.

What has come lies in the object store, sealed, and in the database; nothing of it lies with the process that took it,
so that any server of the installation may go on.
"""
