"""What a person reads: tables in the terminal, and the Markdown pages of the leaderboard."""
