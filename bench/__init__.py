"""Benchmarks: each number with a baseline beside it, in one run, on loopback.

`make bench` needs wrk and nginx, of Debian's packages `wrk` and `nginx-light`.
"""
