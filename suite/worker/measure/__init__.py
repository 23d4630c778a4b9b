"""Time, memory, energy and interference of a process."""
