"""Full-text search in transcripts and their translations.

PostgreSQL uses a GIN index over ``to_tsvector``; SQLite uses an FTS5 table that triggers keep up to
date. ``index`` creates and queries them, ``terms`` parses the text of the search box.
"""
