"""Looking at jobs: the list, the live page, REST."""
