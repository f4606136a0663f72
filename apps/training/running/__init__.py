"""How a worker takes up a job, watches its trainer, keeps checkpoints, and goes on after a loss."""
