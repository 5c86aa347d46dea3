"""Widgets that show plain data: none of them knows a database."""
