#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Giving pooled memory back. Memory files have no pool; the module does.
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

gives_back()
{
	pm alloc -s 4M -- true
	pm trim
	out_matches '^[1-9][0-9]* bytes ([0-9.]*[KMG]) given back$'
}

if [ "$PORTALMEM_BACKEND" = portalmem ]; then
	# The memory is cleared in the background before it counts.
	check "trim gives back what a freed buffer left" eventually gives_back
	pm trim --json
	check "trim --json is strict JSON" json_has freed
else
	pm trim
	check "a backend without a pool fails, and says which has one" \
		fails trim 'give a node of the portalmem module'
fi
tap_end
