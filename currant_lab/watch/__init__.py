"""What goes on in a database, to look at: the numbers behind every dashboard of Currant.

- `board.Board`: the state, fed with events and snapshots; no I/O, no clock.
- `snapshot.Snapshot`: the database's own numbers, that a board is held against.
- `live.Live`: a board that follows a database.
- `views`: what a board shows, as frozen values.

Latencies are histograms that are merged, so percentiles over several pools are percentiles of all their executions.
"""
