# SPDX-License-Identifier: GPL-2.0-or-later
# Make the table of tests/perf/run of what tests/perf/guest.sh prints.
#
# The spread is that of the rounds, as the quartiles of what is compared. What looking at
# the clock takes is taken off.
BEGIN {
	FS = ","
	names = "4K 64K 1M 16M 64M"
	bytes["4K"] = 4096
	bytes["64K"] = 65536
	bytes["1M"] = 1048576
	bytes["16M"] = 16777216
	bytes["64M"] = 67108864
	bytes["1G"] = 1073741824
	split(names, sizes, " ")
}

/^# / {
	part = substr($0, 3)
	lines = 0
	next
}

part == "memory" {
	memory[++lines] = $1
	next
}

part == "clock" {
	clock_cost = $1
	next
}

$1 == "test" {
	for (i = 1; i <= NF; i++)
		column[$i] = i
	next
}

NF > 10 {
	gsub(/"/, "")
	key = part " " $1 " " $2 " " $3
	for (name in column)
		value[key, name] = $column[name]
	known[key]
}

# What looking at the clock adds to each operation, in portalmem bench's tests.
function clock_of(test, figure)
{
	if (figure !~ /^(median|q1|q3)_ns$/)
		return 0
	return test == "tight" ? clock_cost : test ~ /^(paced|use|cold)$/ ? 2 * clock_cost : 0
}

# A figure of a cell; -1 when it was not measured.
function cost(part, test, size, allocator, figure,   key)
{
	key = part " " test " " bytes[size] " " allocator
	if (!(key in known) || value[key, figure] == "")
		return -1
	return value[key, figure] - clock_of(test, figure)
}

# One line. KIND is most or least.
function row(what, size, figure, spread, kind, target,   is_reached)
{
	if (figure < 0) {
		printf "%-44s %-4s %9s %17s %9s  not measured\n", what, size, "-", "",
			(kind == "most" ? "<= " : ">= ") target
		missed++
		return
	}
	is_reached = kind == "most" ? figure <= target : figure >= target
	printf "%-44s %-4s %9.4g %17s %9s  %s\n", what, size, figure, spread,
		(kind == "most" ? "<= " : ">= ") target, is_reached ? "yes" : "no"
	missed += !is_reached
}

# How two cells compare.
function compare(what, size, kind, target, part1, test1, size1, allocator1,
		part2, test2, size2, allocator2, clock,   a, b, low, high, spread)
{
	a = cost(part1, test1, size1, allocator1, clock)
	b = cost(part2, test2, size2, allocator2, clock)
	if (a < 0 || b <= 0) {
		row(what, size, -1, "", kind, target)
		return
	}
	spread = ""
	if (clock == "median_ns") {
		low = cost(part1, test1, size1, allocator1, "q1_ns")
		low /= cost(part2, test2, size2, allocator2, "q3_ns")
		high = cost(part1, test1, size1, allocator1, "q3_ns")
		high /= cost(part2, test2, size2, allocator2, "q1_ns")
		spread = sprintf("%.3g to %.3g", low, high)
	}
	row(what, size, a / b, spread, kind, target)
}

# Ours by the kernel's heap, for each size that has a target.
function by_size(what, part, test, allocator, targets, clock,   i, target)
{
	split(targets, target, " ")
	for (i = 1; i <= 5; i++)
		if (target[i] != "-")
			compare(what, sizes[i], "most", target[i], part, test, sizes[i],
				allocator, part, test, sizes[i], "system", clock)
}

END {
	printf "%-44s %-4s %9s %17s %9s  %s\n", "work, as a ratio to the kernel's heap", "size",
		"figure", "spread", "target", "reached"
	by_size("allocate and close, paced", "main", "paced", "portalmem",
		"0.80 0.40 0.07 0.01 0.005", "median_ns")
	by_size("the same in a tight loop", "main", "tight", "portalmem",
		"0.95 0.95 0.95 0.95 0.95", "median_ns")
	by_size("acquire and release of a library's pool", "main", "paced", "pool",
		"0.02 - 0.001 0.001 0.001", "median_ns")
	by_size("paced, all processor time counted", "all", "paced", "portalmem",
		"1.05 1.05 1.05 1.05 1.05", "system_ns")
	by_size("allocate and close, pool empty", "main", "cold", "portalmem",
		"1.00 1.00 1.00 1.00 1.00", "median_ns")
	by_size("allocate, map, touch and close", "main", "use", "portalmem",
		"0.90 0.70 0.35 0.15 0.15", "median_ns")
	row("page faults to touch it", "64M", cost("main", "use", "64M", "portalmem", "faults"),
		"", "most", 40)
	for (i = 1; i <= 5; i++)
		compare("WC from a warm pool, by without a pool", sizes[i], "most", "0.10",
			"wc", "paced", sizes[i], "portalmem-wc", "wc", "cold", sizes[i],
			"portalmem-wc", "median_ns")
	for (i = 1; i <= 5; i++)
		compare("udmabuf, paced, by ours", sizes[i], "least", 8, "main", "paced",
			sizes[i], "udmabuf", "main", "paced", sizes[i], "portalmem",
			"median_ns")
	compare("O_DIRECT read: rate by huge pages'", "64M", "least", 0.95, "read", "read", "64M",
		"anonymous", "read", "read", "64M", "portalmem", "system_ns")
	compare("and by that into the kernel's heap", "64M", "least", 1.5, "read", "read", "64M",
		"system", "read", "read", "64M", "portalmem", "system_ns")
	compare("sync of 64K in 1G, by a whole 64K", "", "most", 1.3, "sync", "sync-part", "1G",
		"portalmem", "sync", "sync", "64K", "portalmem", "median_ns")
	compare("sync of 1G, by 64K of it", "", "least", 500, "sync", "sync", "1G", "portalmem",
		"sync", "sync-part", "1G", "portalmem", "median_ns")
	by_size("attach and map", "attach", "attach", "portalmem", "- - - - 0.5", "median_ns")
	compare("with 99,999 more alive, by with none", "4K", "most", 1.2, "last", "tight", "4K",
		"portalmem", "first", "tight", "4K", "portalmem", "median_ns")
	row("memory beside the data, by the heap's", "4K",
		memory[1] > 0 ? memory[2] / memory[1] : -1, "", "most", 1)
	compare("two processors by one: rate", "4K", "least", 1.6, "one", "tight", "4K",
		"portalmem", "two", "parallel", "4K", "portalmem", "median_ns")
	compare("two processors by one: rate", "1M", "least", 1.6, "one", "tight", "1M",
		"portalmem", "two", "parallel", "1M", "portalmem", "median_ns")
	printf "%d rows are not reached\n", missed
}
