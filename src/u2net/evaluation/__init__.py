"""How good maps are: the measures of the field."""
