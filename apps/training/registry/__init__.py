"""The registry: registering, files and hashes, cards, merging, exports, imports, deleting."""
