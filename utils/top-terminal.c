// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report.h"
#include "top-terminal.h"

#ifdef HAVE_NCURSES

#include <curses.h>
#include <term.h>
/* Two of its many macros have names that are used here. */
#undef columns
#undef lines

/* How long after an escape the rest of a key's sequence may come. */
#define ESCAPE_DELAY_MS 50

static SCREEN *opened;

static short color_of(enum top_style style)
{
	switch (style) {
	case TOP_TITLE:
		return COLOR_CYAN;
	case TOP_ALERT:
		return COLOR_RED;
	default:
		return -1;
	}
}

/* Emphasis does not take colours: NO_COLOR leaves it. */
static void init_colors(void)
{
	const char *no_color = getenv("NO_COLOR");

	if ((no_color && *no_color) || !has_colors())
		return;
	start_color();
	use_default_colors();
	for (int style = TOP_PLAIN; style <= TOP_HINT; style++)
		init_pair((short)(style + 1), color_of((enum top_style)style),
			  -1);
}

static attr_t attributes_of(enum top_style style)
{
	static const attr_t attributes[] = {
		[TOP_PLAIN] = A_NORMAL,	   [TOP_TITLE] = A_BOLD,
		[TOP_HEADING] = A_REVERSE, [TOP_ALERT] = A_BOLD,
		[TOP_HINT] = A_DIM,
	};
	attr_t pair = 0;

	if (color_of(style) >= 0 && COLOR_PAIRS > (int)style + 1)
		pair = (attr_t)COLOR_PAIR(style + 1);
	return attributes[style] | pair;
}

/* Characters that are not ASCII only where curses and the terminal know them.
 */
static void set_characters(void)
{
#ifdef HAVE_NCURSESW
	if (setlocale(LC_CTYPE, "") &&
	    strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return;
#endif
	setlocale(LC_CTYPE, "C");
}

static int check_terminal(void)
{
	const char *name = getenv("TERM");
	int error = 0;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return failed("%s is not a terminal; use --batch",
			      isatty(STDOUT_FILENO) ? "standard input"
						    : "standard output");
	if (!name || !*name)
		return failed("the terminal's kind is not known: TERM is not "
			      "set; set it, or use --batch");
	if (setupterm(name, STDOUT_FILENO, &error) != OK)
		return failed("the terminal's kind '%s' is not known; set TERM "
			      "to one that is, or use --batch",
			      name);
	if (!cursor_address || !clear_screen) {
		del_curterm(cur_term);
		return failed("a terminal of the kind '%s' cannot place what "
			      "it shows; use another, or --batch",
			      name);
	}
	del_curterm(cur_term);
	return EXIT_DONE;
}

int terminal_open(void)
{
	int status = check_terminal();

	if (status != EXIT_DONE)
		return status;
	set_characters();
	/* initscr() would end the program where it fails. */
	opened = newterm(NULL, stdout, stdin);
	if (!opened)
		return failed("the terminal cannot be opened; use --batch");
	set_escdelay(ESCAPE_DELAY_MS);
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	curs_set(0);
	init_colors();
	return EXIT_DONE;
}

void terminal_close(void)
{
	if (!opened)
		return;
	endwin();
	delscreen(opened);
	opened = NULL;
}

void terminal_size(unsigned int *rows, unsigned int *columns)
{
	struct winsize size;

	/* Curses would hear of it by a signal that is ours. */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row &&
	    size.ws_col && (size.ws_row != LINES || size.ws_col != COLS))
		resizeterm(size.ws_row, size.ws_col);
	*rows = (unsigned int)LINES;
	*columns = (unsigned int)COLS;
}

void terminal_paint(const struct top_screen *screen, bool anew)
{
	if (anew)
		clearok(stdscr, TRUE);
	erase();
	for (size_t i = 0; i < screen->count; i++) {
		const struct top_line *line = &screen->lines[i];

		attrset((int)attributes_of(line->style));
		/* A heading is seen to be one across the screen. */
		if (line->style == TOP_HEADING)
			mvhline((int)i, 0, ' ', COLS);
		mvaddstr((int)i, 0, line->text);
	}
	attrset(A_NORMAL);
	refresh();
}

int terminal_key(void)
{
	static const struct {
		int theirs, ours;
	} keys[] = {
		{ERR, TOP_KEY_NONE},
		{KEY_UP, TOP_KEY_UP},
		{KEY_DOWN, TOP_KEY_DOWN},
		{KEY_PPAGE, TOP_KEY_PAGE_UP},
		{KEY_NPAGE, TOP_KEY_PAGE_DOWN},
		{KEY_HOME, TOP_KEY_HOME},
		{KEY_END, TOP_KEY_END},
		{KEY_BACKSPACE, TOP_KEY_BACKSPACE},
		{KEY_F(1), TOP_KEY_HELP},
		{KEY_ENTER, '\n'},
	};
	int key = getch();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (key == keys[i].theirs)
			return keys[i].ours;
	}
	return key > 0xff ? TOP_KEY_OTHER : key;
}

#else

int terminal_open(void)
{
	return failed("this portalmem was built without ncurses; use --batch");
}

void terminal_close(void)
{
}

void terminal_size(unsigned int *rows, unsigned int *columns)
{
	*rows = *columns = 0;
}

void terminal_paint(const struct top_screen *screen, bool anew)
{
	(void)screen;
	(void)anew;
}

int terminal_key(void)
{
	return TOP_KEY_NONE;
}

#endif
