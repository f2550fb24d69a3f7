"""How near to the floor: `python -m benchmarks` measures and prints one table of ratios."""
