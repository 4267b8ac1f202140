-- SPDX-License-Identifier: MIT
-- Whose code has asked for executable memory that is in no file, and how often.
SELECT process.pid, process.name, transition.call,
       coalesce(file.name, transition.caller_backing, '?') AS caller,
       count(*) AS calls, sum(transition.captured) AS pages
FROM transition
JOIN process ON process.id = transition.process
LEFT JOIN file ON file.id = transition.caller_file
WHERE transition.effective LIKE '%x' AND transition.backing = 'anonymous'
  AND transition.kind NOT IN ('look', 'write')
GROUP BY process.id, transition.call, caller
ORDER BY pages DESC;
