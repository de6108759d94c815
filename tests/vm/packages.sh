# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Packages of Debian, of this machine's architecture or another, from the
# machine's own Debian mirror and only unpacked: neither the system's package
# lists nor what is installed changes, and root is not needed.
#
# What fetch-kernel, build-kernel and fetch-root share. Sourced after lib.sh, never run. The folder
# for what is not finished is in $work, Debian's name for this machine's release in
# $codename.

work=''

codename() {
	local VERSION_CODENAME=
	# shellcheck disable=SC1091
	. /etc/os-release
	printf '%s\n' "${VERSION_CODENAME:-unknown}"
}

# Rewrite the deb822 stanzas on stdin whose Suites name WANTED to name SUITE.
rewrite_deb822() {
	awk -v wanted="$1" -v suite="$2" '
	BEGIN { RS = ""; FS = "\n" }
	{
		kept = suites = field = ""; usable = 1
		for (i = 1; i <= NF; i++) {
			if ($i ~ /^#/)
				continue
			if ($i !~ /^[ \t]/) {
				field = tolower($i)
				sub(/[ \t]*:.*/, "", field)
			}
			value = tolower($i)
			sub(/^[^ \t:]*:/, "", value)
			if (field == "suites")
				suites = suites " " value
			else if (field == "enabled" && value ~ /no|false|0/)
				usable = 0
			else if (field == "types" && (" " value " ") !~ /[ \t]deb[ \t]/)
				usable = 0
			else if (field !~ /^(types|components|architectures|enabled)$/)
				kept = kept $i "\n"
		}
		gsub(/[ \t]+/, " ", suites)
		if (usable && index(suites " ", " " wanted " ")) {
			printf "Types: deb\nSuites: %s\nComponents: main\n%s", suite, kept
			exit
		}
	}'
}

# Rewrite the first one-line entry on stdin that names WANTED and the component
# main to name SUITE.
rewrite_one_line() {
	awk -v wanted="$1" -v suite="$2" '
	$1 == "deb" {
		rest = $0
		sub(/^[ \t]*deb[ \t]+/, "", rest)
		options = ""
		if (match(rest, /^\[[^]]*\][ \t]+/)) {
			options = substr(rest, 1, RLENGTH)
			rest = substr(rest, RLENGTH + 1)
			gsub(/arch[-+]?=[^] \t]*/, "", options)
			if (options ~ /^\[[ \t]*\]/)
				options = ""
		}
		sub(/#.*/, "", rest)
		n = split(rest, word, /[ \t]+/)
		if (word[2] != wanted)
			next
		for (i = 3; i <= n; i++)
			if (word[i] == "main") {
				print "deb " options word[1] " " suite " main"
				exit
			}
	}'
}

# Write into DIR this machine's own Debian source entry with SUITE in place of
# its suite. The entry that has the updates suite is surely Debian's own; a
# machine without one has CODENAME alone.
write_source() {
	local dir=$1 codename=$2 suite=$3 wanted file
	for wanted in "$codename-updates" "$codename"; do
		for file in /etc/apt/sources.list.d/*.sources; do
			[ -r "$file" ] || continue
			rewrite_deb822 "$wanted" "$suite" <"$file" >"$dir/debian.sources"
			[ ! -s "$dir/debian.sources" ] || return 0
		done
		rm -f "$dir/debian.sources"
		for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
			[ -r "$file" ] || continue
			rewrite_one_line "$wanted" "$suite" <"$file" >"$dir/debian.list"
			[ ! -s "$dir/debian.list" ] || return 0
		done
		rm -f "$dir/debian.list"
	done
	die "no Debian source entry for $codename in /etc/apt: cannot tell this machine's mirror"
}

# Give apt a private state in a folder of $work, with SUITE as its one source, for
# packages of ARCH. The options go into $apt.
open_suite() {
	local suite=$1 arch=$2 state=$work/apt-$2
	mkdir -p "$state/sources" "$state/lists/partial" "$state/cache/archives/partial" "$work/debs"
	write_source "$state/sources" "$codename" "$suite"
	apt=(
		-o Dir::Etc::sourcelist=/dev/null
		-o Dir::Etc::sourceparts="$state/sources"
		-o Dir::Etc::preferences=/dev/null
		-o Dir::Etc::preferencesparts=/dev/null
		-o Dir::State::Lists="$state/lists"
		-o Dir::State::status=/dev/null
		-o Dir::Cache="$state/cache"
		-o APT::Architecture="$arch"
		-o APT::Architectures="$arch"
		# The cache is not readable to apt's own user.
		-o APT::Sandbox::User=root
		-o Acquire::Languages=none
		-o Acquire::Retries=3
	)
	say "reading the package list of $suite for $arch"
	apt-get "${apt[@]}" -q -q update >&2 ||
		die "cannot read the package list of $suite from this machine's Debian mirror"
}

# The package among META's dependencies whose name matches PATTERN.
dependency_of() {
	local meta=$1 pattern=$2 names
	names=$(apt-cache "${apt[@]}" depends --important "$meta" 2>/dev/null |
		sed -n 's/^ *Depends: //p' | grep -E -x -e "$pattern") ||
		die "$suite: $meta depends on no package like $pattern"
	printf '%s\n' "${names%%$'\n'*}"
}

# Print the packages that are installed with those named on an empty system.
list_with_dependencies() {
	apt-get "${apt[@]}" -q -q --simulate --no-install-recommends install "$@" |
		sed -n 's/^Inst \([^ ]*\).*/\1/p'
}

# Download the packages into $work/debs and unpack them into DIR. Where DIR has a
# link in place of a package's folder, as of /bin to /usr/bin, it is followed.
unpack_packages() {
	local dir=$1 deb
	shift
	say "fetching $*"
	(cd "$work/debs" && apt-get "${apt[@]}" -q -q download "$@" >&2) ||
		die "cannot fetch $*"
	mkdir -p "$dir"
	for deb in "$work/debs"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x -p --keep-directory-symlink --warning=no-timestamp -C "$dir"
		rm "$deb"
	done
}

# Bring the modules to lib/modules, whichever of /lib and /usr/lib the package
# and depmod use, and index them.
index_modules() {
	local dir=$1 release=$2
	mkdir -p "$dir/usr/lib"
	if [ -d "$dir/lib/modules" ]; then
		mv "$dir/lib/modules" "$dir/usr/lib/modules"
		rmdir "$dir/lib"
	fi
	ln -s usr/lib "$dir/lib"
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$dir" "$release"
}

# Print DEST; where it is not there yet, MAKE it beside its place and rename it.
provide() {
	local make=$1 dest=$2
	if [ ! -d "$dest" ]; then
		hold_lock "$dest.lock"
		work=$dest.partial
		if [ ! -d "$dest" ]; then
			rm -rf "$work"
			trap 'rm -rf "$work"' EXIT
			trap 'exit 130' INT TERM
			mkdir -p "$work"
			"$make" "$work/result"
			mv "$work/result" "$dest"
		fi
	fi
	printf '%s\n' "$dest"
}
