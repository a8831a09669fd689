"""Benchmarks: each number with a baseline beside it, in one run, on loopback.

`make bench` needs Debian's packages `wrk` and `nginx-light`, and takes about five minutes.
"""
