#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What bench prints, draws and refuses, on memory that needs no module.
# shellcheck disable=SC2016,SC2086,SC2317 # options in words; what check and sh -c run
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# Quick, and the same on every machine. The pool is of memory files.
export PORTALMEM_BACKEND=memfd
quick='--allocators memfd,pool,anonymous --time 0 --rounds 2'
small="$quick --sizes 4K"

bench()
{
	pm bench "$@"
}

# Fields of the JSON that was printed, as numbers: a figure without quotes.
is_number()
{
	[[ $(value_at "$1") =~ ^[0-9]+(\.[0-9]+)?$ ]]
}

# in_order PATH...: the numbers there do not get less.
in_order()
{
	local path values=()

	for path; do
		is_number "$path" || return 1
		values+=("$(value_at "$path")")
	done
	printf '%s\n' "${values[@]}" | sort -C -s -g
}

# How many lines of stdout match.
lines_matching()
{
	grep -c -e "$1" "$work/.out" || :
}

only_notes()
{
	! sed -n '/^$/,$p' "$work/.out" | grep -v -e '^Note: ' -e '^$' -e ' rounds; RATIO to '
}

# Text.
bench $small --tests tight,paced,sync --rounds 5
check "bench is done" done_cleanly
check "it prints a heading" out_matches '^TEST *SIZE *ALLOCATOR *MEDIAN *MIN *Q1 *Q3 *LONGEST *FAULTS *RATIO$'
check "a line for each test and allocator" \
	[ "$(lines_matching '^[a-z-]*  *4K  ')" -eq 9 ]
check "with times, faults and the ratio" \
	out_matches '^paced  *4K  pool  *[0-9.]*[nu]s  *[0-9.]*[num]*s  .* [0-9]*\.[0-9]  *[0-9.]*$'
check "the reference has the ratio 1" \
	out_matches '^tight  *4K  memfd .* 1\.000$'
check "without the heap 'system', that is memfd" \
	out_matches '^Elapsed time for one operation, 5 rounds; RATIO to memfd$'
check "what cannot be measured has a dash and the reason" \
	out_matches '^sync  *4K  anonymous  *-  anonymous memory is no buffer'

# JSON.
bench $small --tests paced --rounds 5 --json
check "bench --json is strict JSON" json_valid
check "it tells the rounds" json_is rounds 5
check "the reference" json_is reference '"memfd"'
check "and which time it is" json_is clock '"wall"'
check "what the clock costs is told" is_number clock_cost_ns
check "a cell tells its test" json_is cells.0.test '"paced"'
check "its size" json_is cells.0.size 4096
check "its allocator" json_is cells.1.allocator '"pool"'
check "its figures are in order" in_order cells.0.min_ns cells.0.q1_ns \
	cells.0.median_ns cells.0.q3_ns cells.0.max_ns cells.0.longest_ns
check "no sample is longer than the longest operation of all" \
	in_order cells.2.median_ns cells.2.longest_ns
check "it has a sample of each round" json_has cells.2.samples.4.wall_ns
check "and no more" json_lacks cells.2.samples.5
check "a measured cell has no reason" json_is cells.0.reason null
check "the reference's ratio is 1" json_is cells.0.ratio 1.000000
check "another's is a number" is_number cells.1.ratio
check "its quartiles too" in_order cells.1.ratio_q1 cells.1.ratio_q3
check "a fresh page is a fault" in_order cells.1.faults cells.2.faults
turns=''
for round in 0 1 2 3 4; do
	for cell in 0 1 2; do
		turns+="$(value_at "cells.$cell.samples.$round.turn") "
	done
done
check "each round starts with the next allocator" \
	[ "$turns" = '0 1 2 5 3 4 7 8 6 9 10 11 14 12 13 ' ]
check "there are cells for each allocator and no more" json_lacks cells.3

bench $small --tests map,pass,alloc,read --json
check "every test that can be measured is" \
	[ "$(value_at cells.0.reason)$(value_at cells.1.reason)$(value_at cells.3.reason)$(value_at cells.7.reason)" = nullnullnullnull ]
check "what cannot be has null for a figure" json_is cells.2.median_ns null
check "and for the ratio" json_is cells.2.ratio null
check "and the reason" json_is cells.2.reason '"anonymous memory is mapped when it is allocated"'
check "a map of a new page is a fault" json_is cells.0.faults 1.000
check "a test that times a batch has no longest operation" json_is cells.6.longest_ns null

head -c 65536 /dev/zero >"$work/file"
TMPDIR=$work bench $quick --sizes 64K,128K --tests read --json --file "$work/file"
if [ "$(value_at cells.0.reason)" = null ]; then
	check "read reads the file that is given" is_number cells.0.median_ns
	check "also into anonymous memory" is_number cells.2.median_ns
	check "a file that is too short has a reason" \
		json_is cells.3.reason '"the file has only 65536 bytes"'
else
	check "read says that there is no O_DIRECT here" \
		grep -q 'past the page cache' "$work/.out"
fi
bench $small --tests read --json --file "$work/none"
check "a file that is not there has a reason" json_is cells.0.reason \
	"\"opening past the page cache '$work/none': No such file or directory\""
check "and then nothing is measured, which is a failure" status_is 1
TMPDIR=$work/none bench $small --tests read,map --json
check "neither is a folder for temporary files that is not there" json_is cells.1.reason \
	"\"making a file in '$work/none': No such file or directory\""
check "which does not keep others from being measured" done_cleanly

# Every test, and times of other kinds.
bench $small --json
check "without --tests, all are measured but attach" json_is cells.33.test '"parallel"'
check "and no more" json_lacks cells.36
bench $small --tests attach --json
check "attach without a device says what it needs" \
	json_is cells.0.reason '"no device is given; use --attach"'
for clock in process system; do
	bench $small --tests tight --clock $clock --time 0.05 --json
	check "--clock $clock is told" json_is clock "\"$clock\""
	check "and its samples are of it" is_number cells.2.median_ns
	check "in JSON they all are" is_number cells.2.samples.0.${clock}_ns
done
bench $small --tests tight --clock process --time 0.1 --json
check "to clear memory takes processor time" \
	[ "$(value_at cells.2.samples.0.process_ns)" != 0.0 ]
bench $small --tests alloc --clock system --json
check "where the time of all processors is not known, it says so" \
	json_is cells.0.reason '"this test does not tell the time of all processors"'

# CSV.
bench $small --tests tight,sync --csv
check "bench --csv is done" done_cleanly
check "it has a heading" out_matches '^test,size,allocator,iterations,rounds,median_ns,min_ns,q1_ns,q3_ns,max_ns,mad_ns,longest_ns,process_ns,system_ns,faults,ratio,ratio_q1,ratio_q3,reason$'
check "and a line for each cell" [ "$(wc -l <"$work/.out")" -eq 7 ]
check "each with as many fields" \
	[ "$(sed 's/"[^"]*"/x/g' "$work/.out" | awk -F, '{ print NF }' | sort -u)" = 19 ]
check "what is not known is empty" \
	out_matches '^sync,4096,"anonymous",1,0,,,,,,,,,,,,,,"anonymous memory is no buffer'

# What is chosen.
bench --allocators anonymous --reference memfd --time 0 --sizes 4K --tests tight --json
check "the reference is measured, too" json_is cells.1.allocator '"memfd"'
check "and what is asked for compared with it" is_number cells.0.ratio
bench --allocators anonymous --time 0 --sizes 4K --tests tight --json
check "without a usual one, the first is the reference" json_is reference '"anonymous"'
bench --backend memfd --time 0 --sizes 4K --tests tight --json
check "--backend leaves its devices" \
	[ "$(value_at cells.0.allocator)" = '"memfd"' ]
check "and no others" json_lacks cells.1
bench --allocators no-such-heap,memfd --time 0 --sizes 4K --tests tight --json
check "an allocator that is not there has a reason" \
	out_has 'cannot open /dev/dma_heap/no-such-heap: No such file or directory'
check "which does not keep others from being measured" done_cleanly
bench --allocators no-such-heap --time 0 --sizes 4K --tests tight
check "when nothing can be measured, that is a failure" status_is 1
check "with a line that says so" err_line 'portalmem bench: nothing could be measured'
bench $quick --sizes 4K-100K --tests free --json
check "a range goes in steps of four" \
	[ "$(value_at cells.0.size),$(value_at cells.3.size),$(value_at cells.6.size)" = 4096,16384,65536 ]
check "and to its end, whole pages" json_is cells.9.size 102400
check "and no further" json_lacks cells.12
bench $quick --sizes 5000 --tests free --json
check "sizes are whole pages" json_is cells.0.size 8192
bench $quick --sizes 1000T --tests tight,alloc --json
check "a size that is too large has a reason" \
	json_is cells.0.reason '"it is more than half of the memory that is available"'
bench $small --tests tight --live 100 --json
check "buffers live meanwhile" json_is live 100
run prlimit --nofile=128:128 "$PORTALMEM" bench $small --tests tight --live 1000000000
check "more than may be open are refused" status_is 2
run prlimit --nofile=64:64 setpriv --bounding-set=-all --inh-caps=-all \
	"$PORTALMEM" bench $small --tests tight --live 1000
if err_has 'setpriv'; then
	skip "or are a failure" 'capabilities cannot be dropped here'
else
	check "or are a failure" fails bench 'holding 1000 buffers of each: the limit on open files is lower'
fi
bench $small --tests tight --rounds 2
check "too few rounds are told" out_matches '^Note: 2 rounds are too few to tell how much'
bench $small --tests tight --rounds 1 --json
check "one round is enough for figures" in_order cells.0.min_ns cells.0.median_ns cells.0.max_ns
check "which have no spread" json_is cells.0.mad_ns 0.0
check "and are said to be too few" json_has notes.0
first=$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')
bench $small --tests parallel,tight --cpus "$first" --json
check "--cpus is told" json_is cpus.0 "$first"
check "and is all" json_lacks cpus.1
bench $small --tests tight --cpus 1023
check "a processor that is not there is a failure" \
	fails bench 'running on processor 1023: Invalid argument; choose others with --cpus'

# Drawing. A gnuplot that keeps what it is told stands in for the real one.
mkdir "$work/bin"
cat >"$work/bin/gnuplot" <<'EOF'
#!/bin/sh
cat >"$PLOT_SCRIPT"
printf picture
exit "${PLOT_STATUS:-0}"
EOF
chmod +x "$work/bin/gnuplot"
export PLOT_SCRIPT=$work/script
plot="$quick --sizes 4K,8K --tests tight,sync"
cd "$work"
run env PATH="$work/bin:$PATH" "$PORTALMEM" bench $plot --plot curves.png
check "--plot draws" done_cleanly
check "what gnuplot prints is the file" [ "$(cat curves.png)" = picture ]
check "which others may read" [ "$(stat -c %a curves.png)" = "$(printf %o $((0666 & ~0$(umask))))" ]
check "nothing else is left beside it" [ "$(echo curves*)" = curves.png ]
run cat script
check "the kind of the picture follows from its name" out_has 'set terminal pngcairo size '
check "each test has a panel" [ "$(lines_matching '^set title')" -eq 2 ]
check "each allocator that was measured a curve" [ "$(lines_matching '<< END$')" -eq 5 ]
check "each size a point with its spread" [ "$(lines_matching '^[48][0-9]* [0-9.]* [0-9.]* [0-9.]*$')" -eq 10 ]
run env PATH="$work/bin:$PATH" "$PORTALMEM" bench $plot --plot curves.svg --json
check "--plot goes together with --json" json_is rounds 2
check "and draws SVG" grep -q '^set terminal svg dynamic size ' script
run env PLOT_STATUS=1 PATH="$work/bin:$PATH" "$PORTALMEM" bench $plot --plot fails.png
check "a gnuplot that fails is a failure" status_is 1
check "which says so" err_line "portalmem bench: drawing 'fails.png': gnuplot failed"
check "the figures are printed in any case" out_matches '^tight  *4K  memfd'
check "and no file is left" [ "$(echo fails*)" = 'fails*' ]
# As little as the command as it is built needs to start.
mkdir "$work/empty"
for tool in ls sed dirname; do
	ln -s "$(command -v $tool)" "$work/empty"
done
run env PATH="$work/empty" "$PORTALMEM" bench $plot --plot none.png
check "without gnuplot, --plot fails before anything is measured" \
	fails bench "drawing 'none.png': there is no gnuplot on PATH; install it, or give a file that ends in .gp"
run env PATH="$work/empty" "$PORTALMEM" bench $plot --plot curves.gp
check "its script needs none" done_cleanly
check "and has the figures" grep -q '<< END$' curves.gp
pm bench $plot --plot none/curves.gp
check "a folder that is not there is a failure" \
	fails bench "creating 'none/curves.gp': No such file or directory"
if command -v gnuplot >/dev/null; then
	for kind in png svg; do
		pm bench $plot --plot real.$kind
		check "gnuplot draws the curves, .$kind" done_cleanly
	done
	check "as a PNG" [ "$(head -c 4 real.png | od -An -tx1)" = ' 89 50 4e 47' ]
	check "as an SVG with a title for each test" \
		[ "$(grep -c -e '>tight<' -e '>sync<' real.svg)" -eq 2 ]
else
	skip "gnuplot draws the curves" 'gnuplot is not installed'
fi

# Signals, pipes, terminals.
cd "$work"
mkdir temporary
start env TMPDIR="$work/temporary" "$PORTALMEM" bench $small --tests tight,read \
	--time 3 --json --plot stopped.gp
sleep 1
kill -INT "$child"
finish "$child"
check "SIGINT ends it with a failure" status_is 1
check "which says so" err_line 'portalmem bench: interrupted; what was measured before is printed'
check "what is printed is whole" json_is interrupted true
check "what was measured is in it" json_is cells.0.test '"tight"'
check "no file of it is left" [ -z "$(ls temporary)" ]
check "nor one half drawn" [ -z "$(find . -name 'stopped.gp.*')" ]
run sh -c 'trap "" INT; "$PORTALMEM" bench $0 --tests tight --time 1 & sleep 0.1; kill -INT $!; wait $!' "$small"
check "a SIGINT that is to be ignored is" done_cleanly
for format in '' --json --csv; do
	run sh -c '"$PORTALMEM" bench "$@" >/dev/full' sh $small --tests tight $format
	check "bench $format on a full disk fails" fails bench 'No space left on device'
	mkfifo pipe
	run sh -c 'sh -c "exec <pipe" & "$PORTALMEM" bench "$@" >pipe' sh $small --tests tight $format
	check "bench $format into a closed pipe fails with a line" fails bench 'Broken pipe'
	rm pipe
done
on_terminal 2 "$PORTALMEM" bench $small --tests tight,paced --time 0.6
check "a terminal sees how far it is" out_matches '[0-9]% [a-z]* of 4K by [a-z]*'
check "work that is short is not told" [ "$status" -eq 0 ]
on_terminal 2 "$PORTALMEM" bench $small --tests free --rounds 1
check "short work shows no progress" [ "$(lines_matching '% free of')" -eq 0 ]

# Mistakes.
while IFS='|' read -r options mistake; do
	pm bench $options
	check "bench $options is a mistake" misuses bench "$mistake"
done <<'EOF'
--tests x|--tests: 'x' is not a test
--tests tight,|--tests: '' is not a test
--sizes 0|--sizes: it must be at least one byte
--sizes x|--sizes: 'x' is not a size
--sizes 8K-4K|--sizes: '8K' is more than '4K'
--sizes 4K-|--sizes: '' is not a size
--sizes 4K-8191P|--sizes: '8191P' is not a size
--sizes 15000000T|--sizes: '15000000T' is too large
--rounds 0|--rounds: it takes at least one
--rounds 10001|--rounds: '10001' is too large
--rounds x|--rounds: 'x' is not a number
--time x|--time: 'x' is not a time
--clock x|--clock: 'x' is not a clock; use wall, process or system
--cpus 3-1|--cpus: '3' is more than '1'
--cpus 99999|--cpus: '99999' is too large
--cpus x|--cpus: 'x' is not a number
--live x|--live: 'x' is not a number
--attach x|--attach: 'x' is not BUS/DEVICE
--attach /x|--attach: '/x' is not BUS/DEVICE
--plot x|--plot: 'x' does not end in .png, .svg or .gp
--plot .png|--plot: '.png' does not end in
--json --csv|--json and --csv cannot both be had
--allocators memfd --backend memfd|--allocators cannot be had with --device or --backend
x|unexpected argument 'x'
EOF

tap_end
