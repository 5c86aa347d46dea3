"""`currant bench`: how fast it is here, beside the same statements with nothing around them."""
