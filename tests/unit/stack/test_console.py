from llmops_web.stack.console import LONGEST_LINE, LineSplitter, worth_saying


def test_a_line_that_comes_in_pieces_is_said_once_it_is_whole():
    splitter = LineSplitter()
    assert list(splitter.feed(b"one\ntw")) == ["one"]
    assert list(splitter.feed(b"o\r\n")) == ["two"]


def test_a_program_that_never_ends_its_line_does_not_fill_the_memory():
    splitter = LineSplitter()
    assert list(splitter.feed(b"x" * (LONGEST_LINE + 1))) == ["x" * (LONGEST_LINE + 1)]


def test_a_warning_that_means_nothing_here_is_not_said():
    assert not worth_saying("valkey", "7:M 21 Nov # WARNING Memory overcommit must be enabled! Without it, …")
    assert worth_saying("valkey", "7:M 21 Nov # Can't open the append-only file: Permission denied")
    assert worth_saying("web", "Memory overcommit must be enabled")
