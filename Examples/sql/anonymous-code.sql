-- SPDX-License-Identifier: MIT
-- The code that is in no file: where, how large, since when, and how many versions of its pages.
SELECT 'r' || region.id AS region, process.pid, printf('%x', region.start) AS start,
       region.length, region.protection,
       round((region.born_ns - (SELECT started_ns FROM capture)) / 1e9, 3) AS seconds,
       count(DISTINCT snapshot.content) AS contents, max(snapshot.generation) AS generation
FROM region
JOIN process ON process.id = region.process
LEFT JOIN snapshot ON snapshot.region = region.id
WHERE region.backing IN ('anonymous', 'heap', 'stack', 'memfd', 'shared-memory')
GROUP BY region.id
ORDER BY region.id;
