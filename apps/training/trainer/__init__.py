"""The child process that trains: plain Python without Django, told by a file, telling by a file."""
