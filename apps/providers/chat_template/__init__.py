"""Chat templates of models: rendering.py for everybody, process.py the process that renders them."""
