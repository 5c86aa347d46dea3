"""Pictures made of characters: pure functions from numbers to lines. Nothing here knows Textual."""
