"""The documents, as a reader works through them: every block that can be run is run, in the order of the page.

What an author has to know:

- ``python`` blocks of a page share one interpreter, and one folder with its ``console`` blocks. A ``text`` block
  directly below a ``python`` block is what that prints.
- ``console`` blocks: lines after ``$ `` go to bash, one after the other; ``cd`` and ``export`` last until the end of
  the page. The other lines are what is printed; a block may show nothing of it. A command that is meant to fail ends
  with ``# exits with 1``. Of ``make X`` it is checked that there is such a target; where that runs ``platform-store``,
  this is run.
- ``sql`` blocks run on MySQL, ``javascript`` blocks (``db.name.insertMany([...])``) on MongoDB.
- ``...`` in what is printed stands for anything, on a line of its own for any lines.
- The servers are written as ``mysql://crm:password@127.0.0.1/crm`` and ``mongodb://127.0.0.1/crm?replicaSet=rs0``;
  databases of the test take their place. With ``<!-- on: servers -->`` anywhere on a page, ``config/platform.yaml``
  names these two from the beginning.
- ``<!-- file: NAME -->`` before a block writes it to a file of the folder.
- ``<!-- not run: WHY -->`` before a block that cannot be run; ``tests/acceptance/test_documents.py`` lists them all.
- ``<!-- python`` (or ``console``, ``sql``, ``javascript``), a new line, code, ``-->``: a block that runs and is not
  shown.

``python -m tests.documents docs/how-to/adopt.md`` writes into a page what its commands print now, wherever they print
something else than it shows.
"""
