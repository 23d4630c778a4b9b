"""Whatever starts cells to find something: learning rates, crossover points, length limits."""
