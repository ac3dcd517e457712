"""Clients and servers killed under load, and every row checked: ``python -m tests.torture --help``.

Client processes (``worker``) change and read rows while the parent (``killer``) kills and stops them and the servers.
Everything they begin and everything they learn goes to one append-only file (``log``), whose order is that of real
time: what was written there before a read began was true then. At the end ``check`` judges the whole file.

A row is a function of its key and three version numbers (``rows``), so that any row read can be judged by itself. Keys
come in three kinds:

* *own* keys, which one client alone changes: their state is known exactly at any moment (``model``, ``own``);
* *registers*, single rows that every client overwrites: what is read must not have been overwritten before (``hot``);
* *accounts*, which count their changes and between which amounts move: no change may be lost, no amount (``hot``).
"""
