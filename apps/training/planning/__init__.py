"""What a job is to do: data, base, settings, advice, checks, preview, estimates."""
