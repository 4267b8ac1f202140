-- SPDX-License-Identifier: MIT
-- Whether the capture is complete, and all that is not in it: losses, pages that could not be
-- read, and memory that may have held more than was seen.
SELECT 'capture' AS what, state AS why, pages || ' of ' || expected_pages AS pages,
       CASE complete WHEN 1 THEN 'complete' WHEN 0 THEN 'incomplete' ELSE 'not known' END AS place
FROM capture
UNION ALL
SELECT 'loss', cause, count, printf('%x', start) || '+' || length FROM loss
UNION ALL
SELECT 'unreadable', unreadable, 1, printf('%x', address) FROM snapshot WHERE content IS NULL
UNION ALL
SELECT 'blind spot', reason, length / 4096, printf('%x', start) FROM blind_spot;
