"""Currant Lab."""
