"""What is asked of the file.

A row that is damaged is left out: no reader may stumble over it, nor the writer. A time must be one
of the years 1 to 9999; text and BLOBs are greater than any number, and NULL is no answer.
"""

__all__ = ["ALIVE", "APPEND", "BETWEEN", "LATEST", "SET_ALIVE", "TOO_MANY", "TOO_OLD"]

BETWEEN = """
SELECT number, at, before, after, reason, sentence FROM entry
WHERE at BETWEEN -62135596800 AND 253402300799 AND typeof(sentence) = 'text'
AND number >= coalesce(
    (SELECT max(number) FROM entry WHERE at >= :clocks_are_set AND at < :since), 0)
AND number <= (SELECT max(number) FROM entry WHERE at >= :clocks_are_set AND at < :until)
ORDER BY number
"""

LATEST = """
SELECT number, at, before, after, reason, sentence FROM entry
WHERE at BETWEEN -62135596800 AND 253402300799 AND typeof(sentence) = 'text'
AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
AND (:before IS NULL OR number < :before)
ORDER BY number DESC LIMIT :limit
"""

ALIVE = "SELECT at FROM alive WHERE at BETWEEN -62135596800 AND 253402300799"

APPEND = "INSERT INTO entry (at, before, after, reason, sentence) VALUES (?, ?, ?, ?, ?)"

SET_ALIVE = "INSERT INTO alive VALUES (1, ?) ON CONFLICT DO UPDATE SET at = excluded.at"

TOO_OLD = """
DELETE FROM entry WHERE number < (
    SELECT max(number) FROM entry WHERE at >= :clocks_are_set AND at < :older_than)
"""

TOO_MANY = """
DELETE FROM entry WHERE number <= (
    SELECT number FROM entry ORDER BY number DESC LIMIT 1 OFFSET :most)
"""
