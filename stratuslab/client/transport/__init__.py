"""How requests travel: the only package that speaks HTTP."""
