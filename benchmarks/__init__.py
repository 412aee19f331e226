"""What the bridge costs: latency it adds, tickets per second, CPU, memory, tokens. `python -m benchmarks`."""
