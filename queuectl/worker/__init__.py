"""The service process: one loop that claims, runs and ends jobs, and keeps the house."""
