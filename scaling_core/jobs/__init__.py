"""A queue of training jobs: its store, the supervisor, the workers and where they run."""
