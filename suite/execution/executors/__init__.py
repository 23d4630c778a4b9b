"""The places where cells run: this machine, a Ray cluster, or a packed folder."""
