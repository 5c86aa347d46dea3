"""Pictures of what has happened: pure drawing, from values to a PNG. Matplotlib is imported when one is drawn."""
