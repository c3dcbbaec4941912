"""Speed and memory against rivals and against the floor: `python -m benchmarks`."""
