"""Durable functions: workflows whose steps are on record, so that they go on where they were."""
