"""Fine-tuning at a provider, by the fine-tuning API of the openai SDK."""
