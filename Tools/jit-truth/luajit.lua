-- SPDX-License-Identifier: MIT
-- luajit.lua TRUTH: work for LuaJIT's compiler: chunks made of text, tables, strings, recursion.
-- Every trace's machine code goes to the file TRUTH when it is made ("load") and at the end, if it
-- is still there ("end"). Says "done PID RESULT" and waits for a line.
local ffi, util, bit = require("ffi"), require("jit.util"), require("bit")
ffi.cdef [[
typedef struct { long s, ns; } husk_timespec;
int clock_gettime(int, husk_timespec *);
int getpid(void);
]]
local out = assert(io.open(arg[1], "w"))
local now = ffi.new("husk_timespec")
local hex = {}
for i = 0, 255 do hex[string.char(i)] = string.format("%02x", i) end

local function tell(kind, trace)
    local code, address = util.tracemc(trace)
    if not code then return end
    if address < 0 then address = address + 2 ^ 32 end
    ffi.C.clock_gettime(1, now)
    out:write(string.format("%s %d%09d %x trace-%d ", kind, tonumber(now.s), tonumber(now.ns), address, trace))
    out:write((code:gsub(".", hex)), "\n")
end
jit.off(tell)

jit.attach(function(what, trace)
    if what == "stop" then tell("load", trace) end
end, "trace")

local seed = 12345
local function random(n)
    seed = (seed * 16807) % 2147483647
    return seed % n
end

local function expression(depth)
    if depth == 0 then
        return ({ "a", "b", "i", tostring(random(1000)) })[random(4) + 1]
    end
    local left, right = expression(depth - 1), expression(depth - 1)
    local kind = random(4)
    if kind == 0 then return "(" .. left .. " + " .. right .. ")" end
    if kind == 1 then return "bit.bxor(" .. left .. ", " .. right .. ")" end
    if kind == 2 then return "math.max(" .. left .. ", " .. right .. ")" end
    return "(" .. left .. " - " .. right .. ")"
end

local function generated(rounds)
    local sum = 0
    for round = 1, rounds do
        local f = loadstring("local bit = bit return function(n, a, b) local s = 0 for i = 1, n do s = (s + "
            .. expression(3) .. ") % 65521 if s % 7 == " .. round % 7 .. " then s = s + 3 end end return s end")()
        for k = 1, 3 do sum = (sum + f(3000, k, round)) % 1000003 end
    end
    return sum
end

local function objects(n)
    local counts, total = {}, 0
    for i = 1, n do
        local shape = i % 3 == 0 and { kind = "square", n = i % 50 } or { kind = "strip", n = i % 70, m = 3 }
        total = total + (shape.kind == "square" and shape.n * shape.n or shape.n * shape.m)
        local key = "k" .. total % 97
        counts[key] = (counts[key] or 0) + 1
    end
    local keys = {}
    for key in pairs(counts) do keys[#keys + 1] = key end
    table.sort(keys)
    for i, key in ipairs(keys) do total = total + counts[key] * i end
    return total
end

local function fibonacci(n) return n < 2 and n or fibonacci(n - 1) + fibonacci(n - 2) end

local result = table.concat({ generated(3000), objects(800000), fibonacci(30) }, ",")
for trace = 1, 65535 do
    if util.tracemc(trace) then tell("end", trace) end
end
out:close()
jit.off()
io.write("done ", ffi.C.getpid(), " ", result, "\n")
io.flush()
io.read("*l")
