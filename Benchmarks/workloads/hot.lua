-- SPDX-License-Identifier: MIT
-- Keeps LuaJIT's trace compiler busy: each chunk is compiled anew.
local total = 0
for round = 1, tonumber(arg[1]) do
  local step = load('return function(x) return (x * ' .. (round % 97 + 3) .. ' + ' .. round .. ') % 1000003 end')()
  local x = round
  for i = 1, 7000000 do x = step(x) end
  total = total + x
end
print(total)
