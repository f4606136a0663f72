"""Everything that runs in a worker process: queues, the beat schedule, thin tasks."""
