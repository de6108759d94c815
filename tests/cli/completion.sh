#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion in zsh and fish: the shells themselves are asked what they offer. That
# of bash is in packaging.sh.
# shellcheck disable=SC2016,SC2317 # commands and functions are run by name
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

folder=$top_srcdir/utils/completion
subcommands >"$work/all"

# The long options in a subcommand's help, without those of all subcommands.
options_of()
{
	"$PORTALMEM" "$1" --help | grep -o -e '^  .*--[a-z-]*' |
		grep -o -e '--[a-z-]*' |
		grep -vx -e --json -e --device -e --backend -e --help | sort -u
}

# Those of standard input that are not for all subcommands.
own_options()
{
	grep -o -e '^--[a-z-]*' |
		grep -vx -e --json -e --device -e --backend -e --help | sort -u
}

same_options()
{
	options_of "$1" >"$work/explained" || :
	sed "s/^([^)]*)//" "$work/$1.offered" | own_options >"$work/offered" || :
	diff "$work/explained" "$work/offered"
}

# What the shell offers at the end of the line $1, one a line, as last run.
offers()
{
	[ "$(sort "$work/.out" | tr '\n' ' ')" = "$1 " ]
}

check_fish()
{
	run fish --no-config -c 'source $argv[1]/portalmem.fish
		for subcommand in (cat $argv[2]/all)
			complete -C "portalmem $subcommand --" >$argv[2]/$subcommand.offered
		end
		complete -C "portalmem " >$argv[2]/offered-subcommands' "$folder" "$work"
	check "fish: the completion loads" done_cleanly
	cut -f 1 "$work/offered-subcommands" | grep -v -e '^-' | sort >"$work/fish-all"
	sort "$work/all" >"$work/sorted"
	check "fish: every subcommand is offered, and no other" \
		cmp "$work/sorted" "$work/fish-all"
	while read -r subcommand; do
		check "fish: $subcommand has the options that its help has" \
			same_options "$subcommand"
	done <"$work/all"
	while IFS='|' read -r line offered; do
		run fish --no-config -c 'source $argv[1]/portalmem.fish
			complete -C $argv[2] | cut -f 1' "$folder" "$line"
		check "fish: '$line' is completed" offers "$offered"
	done <"$work/lines"
}

# Ask an interactive zsh, on a terminal, what it would add.
ask_zsh()
{
	cat >"$work/ask.zsh" <<'END'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT= RPROMPT=; stty -echo; fpath=(${1} \$fpath)
autoload -Uz compinit; compinit -u -D
show() {
	local -a offered
	compadd() {
		builtin compadd -O offered \"\$@\"
		print -r -l -- \"offered \"\${^offered}
		builtin compadd \"\$@\"
	}
	_main_complete
	print all-offered
}
zle -C show list-choices show; bindkey '^X' show; print ready-to-ask"
zpty -r shell text '*ready-to-ask'
zpty -w -n shell "$2"$'\x18'
zpty -r shell text '*all-offered*'
print -r -- "$text" | tr -d '\r' | sed -n 's/^.*offered \(..*\)/\1/p'
zpty -d shell
END
	run zsh -f "$work/ask.zsh" "$folder" "$1"
}

check_zsh()
{
	run zsh -f -c '. $1/_portalmem || exit
		for subcommand in $(cat $2/all); do
			_portalmem_options $subcommand
			print -rl -- $reply >$2/$subcommand.offered
		done
		print -l ${_portalmem_subcommands%%:*}' zsh "$folder" "$work"
	check "zsh: the completion loads" err_empty
	check "zsh: it knows every subcommand, and no other" cmp "$work/all" "$work/.out"
	while read -r subcommand; do
		check "zsh: $subcommand has the options that its help has" \
			same_options "$subcommand"
	done <"$work/all"
	while IFS='|' read -r line offered; do
		ask_zsh "$line"
		tr ' ' '\n' <"$work/.out" | sed '/^$/d' | sort -u >"$work/words"
		cp "$work/words" "$work/.out"
		check "zsh: '$line' is completed" offers "$offered"
	done <"$work/lines"
}

# A line, and what belongs there.
cat >"$work/lines" <<'END'
portalmem veri|verify
portalmem --backend memfd hea|heaps
portalmem --backend u|udmabuf
portalmem alloc --caching |cached default uc wc
portalmem ps --sort ex|exporter
portalmem sync |begin end
portalmem help trim|trim
portalmem alloc --size 4K -- portalmem veri|verify
END

for shell in fish zsh; do
	if command -v "$shell" >/dev/null 2>&1; then
		"check_$shell"
	else
		skip "$shell completes" "$shell is missing"
	fi
done
tap_end
