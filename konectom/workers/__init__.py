"""``konectom worker``: the processes that compute what a server only receives, on as many hosts as one likes.

::

    work      one worker: what it is told by signals, and its signs of life
      queue   takes the jobs of a PostgreSQL database (Procrastinate)
      polling looks for waiting sessions in a SQLite file
      crew    hands each session to one of several processes, and sees to those that end or take too long
        process  computes one session after the other
      campaigns  has campaigns carried out that somebody decided over HTTP
    health  whether a worker on this host is alive, for those who ask
"""
