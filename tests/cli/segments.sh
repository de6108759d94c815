#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A buffer's translation table. Memory files have none; the module's buffers do.
# shellcheck disable=SC2016,SC2317 # commands and functions are run by name
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

if [ "$PORTALMEM_BACKEND" = portalmem ]; then
	with_buffer 1M '"$PORTALMEM" segments'
	check "segments prints a table" done_cleanly
	check "it has a head" out_matches '^segment  *offset  *length  *size  *physical$'
	check "it starts at the buffer's start" out_matches '^  *0  *0 '
	with_buffer 1M '"$PORTALMEM" segments --json'
	check "segments --json adds up to the buffer" lengths_are 1048576
	check "the first segment starts at 0" json_is segments.0.offset 0
	check "root sees its physical address" json_has segments.0.physical
	run setpriv --bounding-set=-sys_rawio --inh-caps=-all -- \
		"$PORTALMEM" alloc --size 64K -- "$PORTALMEM" segments --json
	check "without CAP_SYS_RAWIO there is no address" \
		json_is segments.0.physical null
else
	with_buffer 1M '"$PORTALMEM" segments'
	check "a memory file has no table, and says what has" \
		fails segments 'allocate it from the module'
fi
pm segments fd:99
check "a descriptor that is not open fails" fails segments 'Bad file descriptor'
pm segments fd:0 extra
check "a second argument is refused" misuses segments "unexpected argument 'extra'"

# The drawing. Here the module is made up; on the real one the same is drawn.
if [ "$PORTALMEM_BACKEND" = memfd ]; then
	PORTALMEM=$top_builddir/tests/cli/portalmem-fake
	export FAKE_MODULE_NAME='a <b> & "c"'
	unset PORTALMEM_BACKEND
fi
cd "$work"

# draw SIZE ARGUMENT...: SVG of a buffer, and its table as JSON in table.
draw()
{
	draw_size=$1
	shift
	run "$PORTALMEM" alloc --size "$draw_size" --name 'a <b> & "c"' -- \
		sh -euc '"$PORTALMEM" segments "$@"
			"$PORTALMEM" segments --json >table' sh "$@"
}

# drawing_is FILE: it is XML, and has each segment of the table once.
drawing_is()
{
	cat >compare.py <<'END'
import json, sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
svg = "{http://www.w3.org/2000/svg}"
assert root.tag == svg + "svg", root.tag
drawn = sorted((int(g.get("data-offset")), int(g.get("data-length")),
                int(g.get("data-physical", 0)))
               for g in root.iter(svg + "g") if g.get("class") == "segment")
table = [(s["offset"], s["length"], s["physical"] or 0)
         for s in json.load(open("table"))["segments"]]
assert drawn == table, (drawn, table)
for g in root.iter(svg + "g"):
    if g.get("class") != "segment":
        continue
    physical, length = int(g.get("data-physical", 0)), int(g.get("data-length"))
    first = -(-physical // 2**21)
    huge = max(0, (physical + length) // 2**21 - first) * 2**21
    assert int(g.get("data-huge", 0)) == (huge if physical else 0), g.attrib
    assert g.find(svg + "title") is not None and g.find(svg + "rect") is not None
gaps = [int(g.get("data-length")) for g in root.iter(svg + "g")
        if g.get("class") == "gap"]
table.sort(key=lambda segment: segment[2])
between = [b[2] - a[2] - a[1] for a, b in zip(table, table[1:]) if a[2]]
between = [gap for gap in between if gap]
assert set(gaps) <= set(between), (gaps, between)
for rect in root.iter(svg + "rect"):
    if rect.get("x") and rect.get("class") in ("plain", "huge"):
        right = float(rect.get("x")) + float(rect.get("width"))
        assert 0 <= float(rect.get("x")) and right <= float(root.get("width"))
        bottom = float(rect.get("y")) + float(rect.get("height"))
        assert bottom <= float(root.get("height")), rect.attrib
END
	python3 compare.py "$1"
}

mode_is()
{
	[ "$(stat -c %a "$1")" = "$2" ]
}

names_are()
{
	[ "$(find . -maxdepth 1 -name '*svg*' | sort | tr '\n' ' ')" = "$1" ]
}

draw 5M --svg drawing.svg
check "--svg draws into a file, and prints nothing" prints ''
check "the drawing is the table, as XML" drawing_is drawing.svg
check "it has a title" grep -q '5M in [0-9]* segment' drawing.svg
check "the buffer's name is text in it" \
	grep -q '&#60;b&#62; &#38; &#34;c&#34;' drawing.svg
check "and a legend" grep -q 'aligned pages of 2 MiB</text>' drawing.svg
check "nothing else is left" names_are './drawing.svg '
draw 4K --svg small.svg
check "one page is drawn" drawing_is small.svg
draw 96M --svg - --device /dev/portalmem
check "- is standard output" done_cleanly
cp "$work/.out" large.svg
check "a large one is drawn" drawing_is large.svg
draw 1M --svg drawing.svg --json
check "with --json the table is printed, too" json_has segments.0.offset
check "the file is replaced" drawing_is drawing.svg
chmod 600 drawing.svg
ln -s drawing.svg link.svg
draw 2M --svg link.svg
check "behind a link, too" drawing_is drawing.svg
check "the link stays" [ -L link.svg ]
check "and so does the file's mode" mode_is drawing.svg 600
rm ./*.svg
draw 4K --svg /dev/full
check "a full disk fails" fails segments "writing '/dev/full': No space left on device"
draw 4K --svg "$work/absent/x.svg"
check "a folder that is not there fails" fails segments \
	"opening '$work/absent/x.svg': No such file or directory; give a file that can be written"
draw 4K --svg "$work"
check "a folder is no file" fails segments "opening '$work': Is a directory"
draw 4K --svg ''
check "nor is nothing" fails segments "opening '': No such file or directory"
check "of all these nothing is left" names_are ''
pm segments --svg
check "--svg needs a file" misuses segments '--svg needs an argument'
pm segments --svg - --json
check "two results do not go to one output" misuses segments 'give --svg a file'
if [ "$(id -u)" != 0 ]; then
	mkdir locked
	chmod 500 locked
	draw 4K --svg locked/x.svg
	check "a folder that may not be written fails" fails segments 'Permission denied'
fi
if [ "${PORTALMEM#*fake}" != "$PORTALMEM" ]; then
	export FAKE_MODULE_HIDES=1
	draw 5M --svg hidden.svg
	check "without the right to it, no address is drawn" drawing_is hidden.svg
	check "nothing in it is one" \
		[ "$(grep -c -e 0x40000000 -e data-physical hidden.svg)" = 0 ]
	check "and it says why" grep -q 'for root (CAP_SYS_RAWIO)' hidden.svg
fi
tap_end
