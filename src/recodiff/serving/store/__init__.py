"""Histories and events in a database: tables of our own, or a table of yours that is read alone."""
