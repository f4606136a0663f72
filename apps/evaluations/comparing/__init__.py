"""What a worker computes of a comparison, part by part, each kept until what it was made of changes."""
