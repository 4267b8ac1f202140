-- SPDX-License-Identifier: MIT
-- The pages of code that were rewritten most: each content's SHA-256, when it was seen first.
SELECT process.pid, printf('%x', snapshot.address) AS address, snapshot.generation,
       lower(hex(content.sha256)) AS sha256,
       round((min(snapshot.time_ns) - (SELECT started_ns FROM capture)) / 1e9, 3) AS seconds
FROM snapshot
JOIN process ON process.id = snapshot.process
JOIN content ON content.id = snapshot.content
WHERE (snapshot.process, snapshot.address) IN (
    SELECT process, address FROM snapshot WHERE content IS NOT NULL
    GROUP BY process, address HAVING max(generation) > 0
    ORDER BY max(generation) DESC LIMIT 10)
GROUP BY snapshot.process, snapshot.address, snapshot.generation
ORDER BY process.pid, snapshot.address, snapshot.generation;
