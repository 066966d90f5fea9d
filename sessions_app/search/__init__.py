"""Full-text search in what was said and its translations.

PostgreSQL searches through a GIN index over ``to_tsvector``; SQLite through an FTS5 table that
triggers keep in step. ``index`` builds either, ``terms`` reads what a person typed.
"""
