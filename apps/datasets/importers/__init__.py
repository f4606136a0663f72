"""Reading files into rows: plain Python, streaming, with bounded memory."""
