#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# help SUBCOMMAND shows the manual page where there is a terminal, a man(1) and a
# page, and plain text everywhere else.
# shellcheck disable=SC2016,SC2317 # commands and functions are run by name
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# The terminal turns line ends into two characters.
on_terminal_out_is()
{
	[ "$(tr -d '\r' <"$work/.out")" = "$1" ]
}

"$PORTALMEM" info --help >"$work/plain"
plain=$(cat "$work/plain")

# A man(1) that has the pages whose names are in $work/pages.
mkdir "$work/bin"
cat >"$work/bin/man" <<END
#!/bin/sh
for page; do :; done
grep -q -x -e "\$page" "$work/pages" || { echo 'No manual entry' >&2; exit 16; }
[ "\$1" != -w ] || { echo /usr/share/man; exit 0; }
echo "the page: \$*"
exit 3
END
chmod +x "$work/bin/man"
echo portalmem-info >"$work/pages"
path=$PATH
PATH=$work/bin:$PATH
on_terminal 1 "$PORTALMEM" help info
check "on a terminal, help shows the manual page" \
	on_terminal_out_is 'the page: 1 portalmem-info'
check "and ends as man(1) does" status_is 3
on_terminal 1 "$PORTALMEM" info --help
check "--help is plain text there too" on_terminal_out_is "$plain"
on_terminal 2 "$PORTALMEM" help info
check "where stdout is no terminal, help is plain text" on_terminal_out_is "$plain"
: >"$work/pages"
on_terminal 1,2 "$PORTALMEM" help info
check "without the page, help is plain text alone" on_terminal_out_is "$plain"
check "which is no failure" status_is 0
on_terminal 1,2 "$PORTALMEM" help
check "the list of subcommands is no page" \
	on_terminal_out_is "$("$PORTALMEM" --help)"
on_terminal 1,2 "$PORTALMEM" help frobnicate
check "nor is a subcommand that does not exist" status_is 2
PATH=$path
# libtool's wrapper is a script, and needs what is in the path.
case $(head -c 2 "$PORTALMEM") in
'#!') wrapped=$(dirname "$PORTALMEM")/.libs/$(basename "$PORTALMEM") ;;
*) wrapped=$PORTALMEM ;;
esac
mkdir "$work/no-man"
on_terminal 1,2 env PATH="$work/no-man" \
	LD_LIBRARY_PATH="$top_builddir/libportalmem/.libs" "$wrapped" help info
check "without man(1), help is plain text alone" on_terminal_out_is "$plain"

# The real one, on the pages as they are installed.
if command -v man >/dev/null 2>&1; then
	mkdir -p "$work/man/man1"
	cp "$top_srcdir"/man/portalmem*.1 "$work/man/man1"
	on_terminal 1 env MANPATH="$work/man" MANPAGER=cat PAGER=cat TERM=dumb \
		"$PORTALMEM" help info
	check "man(1) shows the page" status_is 0
	check "from its title on" out_has 'PORTALMEM-INFO(1)'
else
	skip "man(1) shows the page" 'man(1) is missing'
fi
tap_end
