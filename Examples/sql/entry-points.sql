-- SPDX-License-Identifier: MIT
-- Where code that was unpacked into writable memory was entered (`husk run --rwx trap`): the
-- first execution in each region, with the stack pointer, and who had written the code.
SELECT process.pid, printf('%x', execution.address) AS entry,
       printf('%x', execution.region_start) AS region, execution.region_length AS length,
       printf('%x', execution.rsp) AS rsp,
       iif(execution.writer IS NULL, 'not known', printf('%x', execution.writer)) AS writer
FROM execution JOIN process ON process.id = execution.process
WHERE execution.sequence = 0
ORDER BY execution.position;
