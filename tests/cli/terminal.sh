# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A command on a terminal that can be looked at: tmux is the terminal. Source it
# after cli.sh.

terminal_socket=${work:?}/tmux
unset TMUX

cat >"$work/on-terminal" <<-'EOF'
	export work="$1"
	shift
	# Ctrl-C is for the command.
	trap : INT
	stty -g >"$work/terminal-before"
	echo before the command
	status=0
	sh -c 'echo $$ >"$work/terminal-pid"; exec env "$@"' - "$@" 2>"$work/.err" || status=$?
	echo "$status" >"$work/terminal-status"
	stty -g >"$work/terminal-after"
	echo after the command
	exec sleep 120
EOF

in_tmux()
{
	tmux -u -S "$terminal_socket" -f /dev/null "$@"
}

# terminal COLUMNS ROWS [NAME=VALUE]... COMMAND...: start it on a new terminal, in
# place of the one before.
terminal()
{
	terminal_columns=$1
	terminal_rows=$2
	shift 2
	# shellcheck disable=SC2034 # tap.sh shows it
	tap_command=$*
	in_tmux kill-server 2>/dev/null || true
	rm -f "$work"/terminal-* "$terminal_socket"
	: >"$work/.out"
	: >"$work/.err"
	in_tmux new-session -d -x "$terminal_columns" -y "$terminal_rows" \
		sh "$work/on-terminal" "$work" "$@"
	tap_children="$tap_children $(in_tmux display-message -p '#{pid}')"
}

# Press keys, as tmux names them.
press()
{
	in_tmux send-keys "$@"
}

# resize COLUMNS ROWS
resize()
{
	in_tmux resize-window -x "$1" -y "$2"
}

# Send the command a signal.
send_signal()
{
	kill "-$1" "$(cat "$work/terminal-pid")"
}

# Keep what is on the screen for the predicates that look at stdout.
look()
{
	in_tmux capture-pane -p >"$work/.out"
}

# With the escape sequences of colours.
look_in_color()
{
	in_tmux capture-pane -p -e >"$work/.out"
}

sees()
{
	look && out_matches "$1"
}

sees_none()
{
	look && ! out_matches "$1"
}

# Soon a line of the screen matches the regular expression.
shows()
{
	eventually sees "$1"
}

# Soon none does.
hides()
{
	eventually sees_none "$1"
}

# terminal_has alternate_on VALUE: one of tmux's variables.
terminal_has()
{
	[ "$(in_tmux display-message -p "#{$1}")" = "$2" ]
}

# Soon the command has ended with this status and left the terminal as it was:
# its settings, its own screen, and the cursor.
leaves()
{
	eventually test -s "$work/terminal-after" &&
		[ "$(cat "$work/terminal-status")" = "$1" ] &&
		cmp -s "$work/terminal-before" "$work/terminal-after" &&
		eventually terminal_has alternate_on 0 &&
		terminal_has cursor_flag 1
}

# The same, and what was on the screen before is there.
ends()
{
	leaves "$1" && shows '^after the command' &&
		out_matches '^before the command'
}
