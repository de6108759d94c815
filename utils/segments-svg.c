// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The segments as a map of memory, to be looked at: one bar for each, in the
 * order of addresses, in as many rows as it takes. All bars have one scale;
 * what lies between segments is as wide everywhere.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "parse.h"
#include "report.h"
#include "segments.h"
#include "utf8.h"

/* Pixels. */
#define LEFT 150.0
#define WIDTH 900.0
#define RIGHT 20.0
#define TOP 118.0
#define BAR 34.0
#define ROW 68.0
#define BOTTOM 16.0
#define GAP 26.0
#define NARROWEST 3.0
#define DIGIT 7.0 /* a character of a label, about */

#define PAGE 4096
#define HUGE_PAGE (UINT64_C(2) << 20)

/* Segments for which a row is worth it, and the most rows that a scale makes. */
#define SEGMENTS_A_ROW 12
#define ROWS_OF_SCALE 16

/* Enough that a light part of a bar is not taken for the background. */
#define COLOR_PLAIN "#a9c8ea"
#define COLOR_HUGE "#2f6fb5"
#define COLOR_LABEL "#101820"
#define COLOR_LABEL_ON_HUGE "#ffffff"

struct drawing {
	FILE *out;
	const struct portalmem_segment **sorted;
	size_t count;
	bool has_addresses;
	double scale; /* pixels a byte */
	/* Where the pen is. */
	double x;
	unsigned int row;
};

/* The part of a segment that whole huge pages cover. */
struct huge_part {
	uint64_t offset; /* in the segment */
	uint64_t length;
};

static struct huge_part huge_part(const struct portalmem_segment *segment)
{
	uint64_t skip = -segment->physical % HUGE_PAGE;
	struct huge_part part = {0};

	if (!segment->physical || skip >= segment->length)
		return part;
	part.offset = skip;
	part.length = (segment->length - skip) / HUGE_PAGE * HUGE_PAGE;
	return part;
}

static int compare(const void *a, const void *b)
{
	const struct portalmem_segment *first =
		*(const struct portalmem_segment *const *)a;
	const struct portalmem_segment *second =
		*(const struct portalmem_segment *const *)b;

	if (first->physical != second->physical)
		return first->physical < second->physical ? -1 : 1;
	return (first->offset > second->offset) -
	       (first->offset < second->offset);
}

static uint64_t bytes_of(const struct segment_table *table)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < table->count; i++)
		bytes += table->segments[i].length;
	return bytes;
}

static double width_of(const struct drawing *drawing,
		       const struct portalmem_segment *segment)
{
	double width = (double)segment->length * drawing->scale;

	return width < NARROWEST ? NARROWEST : width;
}

/* Bytes of memory between a segment and the next one. */
static uint64_t gap_after(const struct drawing *drawing, size_t i)
{
	const struct portalmem_segment *segment = drawing->sorted[i];

	if (!drawing->has_addresses || i + 1 == drawing->count)
		return 0;
	return drawing->sorted[i + 1]->physical - segment->physical -
	       segment->length;
}

/* Text that may come from anyone: no control character, no markup. */
static void put_text(FILE *out, const char *text)
{
	char escaped[4 * PORTALMEM_NAME_MAX + 1];
	const char *at = escaped;

	escape_text(escaped, sizeof(escaped), text);
	while (*at) {
		size_t length = utf8_sequence(at);

		/* U+FFFE and U+FFFF are UTF-8, and not XML. */
		if (utf8_decode(at, length) == 0xfffe ||
		    utf8_decode(at, length) == 0xffff)
			fputs("&#xfffd;", out);
		else if (*at == '<' || *at == '>' || *at == '&' || *at == '"')
			fprintf(out, "&#%d;", *at);
		else
			fwrite(at, 1, length, out);
		at += length;
	}
}

static double row_y(unsigned int row)
{
	return TOP + row * ROW;
}

static void put_row_address(const struct drawing *drawing, uint64_t address)
{
	fprintf(drawing->out,
		"<text class=\"address\" x=\"%.1f\" y=\"%.1f\">%#" PRIx64
		"</text>\n",
		LEFT - 10, row_y(drawing->row) + BAR / 2 + 4, address);
}

static void next_row(struct drawing *drawing, uint64_t address)
{
	drawing->row++;
	drawing->x = 0;
	put_row_address(drawing, address);
}

static void put_bar(const struct drawing *drawing, const char *class,
		    double from, double width)
{
	fprintf(drawing->out,
		"<rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" "
		"height=\"%.1f\"/>\n",
		class, LEFT + from, row_y(drawing->row), width, BAR);
}

static uint64_t address_of(const struct drawing *drawing,
			   const struct portalmem_segment *segment)
{
	return drawing->has_addresses ? segment->physical : segment->offset;
}

/* The page that a pixel of a segment stands for. */
static uint64_t address_at(const struct drawing *drawing,
			   const struct portalmem_segment *segment, double x)
{
	uint64_t bytes = (uint64_t)(x / drawing->scale);

	return address_of(drawing, segment) + bytes - bytes % PAGE;
}

/* The pixels from FROM to TO of a segment, which fit into the row. */
static void put_piece(const struct drawing *drawing,
		      const struct portalmem_segment *segment, double from,
		      double to)
{
	const struct huge_part huge = huge_part(segment);
	double begin = (double)huge.offset * drawing->scale;
	double end = (double)(huge.offset + huge.length) * drawing->scale;

	put_bar(drawing, "plain", drawing->x, to - from);
	if (begin < from)
		begin = from;
	if (end > to)
		end = to;
	if (huge.length && begin < end)
		put_bar(drawing, "huge", drawing->x + begin - from,
			end - begin);
}

/* False when there is no room for it. */
static bool put_label(const struct drawing *drawing,
		      const struct portalmem_segment *segment, double width)
{
	const struct huge_part huge = huge_part(segment);
	char size[SIZE_TEXT_ROOM];
	int length;

	length = snprintf(NULL, 0, "%#" PRIx64, segment->offset);
	if (width < DIGIT * length + 6)
		return false;
	format_size_short(size, segment->length);
	fprintf(drawing->out,
		"<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n"
		"<text class=\"offset\" x=\"%.1f\" y=\"%.1f\">%#" PRIx64
		"</text>\n",
		huge.length * 2 > segment->length ? "size onhuge" : "size",
		LEFT + drawing->x + width / 2, row_y(drawing->row) + 21, size,
		LEFT + drawing->x + width / 2, row_y(drawing->row) + BAR + 13,
		segment->offset);
	return true;
}

static void put_description(const struct drawing *drawing,
			    const struct portalmem_segment *segment)
{
	const struct huge_part huge = huge_part(segment);
	char size[SIZE_TEXT_ROOM], covered[SIZE_TEXT_ROOM];

	format_size(size, segment->length);
	fprintf(drawing->out, "<title>%s at offset %#" PRIx64 " of the buffer",
		size, segment->offset);
	if (drawing->has_addresses) {
		format_size(covered, huge.length);
		fprintf(drawing->out,
			"\n%#" PRIx64 " to %#" PRIx64
			"\n%s of it in aligned pages of 2 MiB",
			segment->physical,
			segment->physical + segment->length - 1, covered);
	}
	fputs("</title>\n", drawing->out);
}

static void put_segment(struct drawing *drawing,
			const struct portalmem_segment *segment)
{
	double width = width_of(drawing, segment), done = 0;
	bool labelled = false;

	fprintf(drawing->out,
		"<g class=\"segment\" data-offset=\"%" PRIu64
		"\" data-length=\"%" PRIu64 "\"",
		segment->offset, segment->length);
	if (drawing->has_addresses)
		fprintf(drawing->out,
			" data-physical=\"%" PRIu64 "\" data-huge=\"%" PRIu64
			"\"",
			segment->physical, huge_part(segment).length);
	fputs(">\n", drawing->out);
	put_description(drawing, segment);
	while (done < width) {
		double piece = width - done;

		if (drawing->x > WIDTH - NARROWEST)
			next_row(drawing, address_at(drawing, segment, done));
		if (piece > WIDTH - drawing->x)
			piece = WIDTH - drawing->x;
		put_piece(drawing, segment, done, done + piece);
		if (!labelled)
			labelled = put_label(drawing, segment, piece);
		drawing->x += piece;
		done += piece;
		/* What rounding leaves is not worth a row. */
		if (width - done < 0.01)
			break;
	}
	fputs("</g>\n", drawing->out);
}

static void put_gap(struct drawing *drawing, uint64_t bytes)
{
	char size[SIZE_TEXT_ROOM];

	if (drawing->x + GAP > WIDTH)
		return; /* the next row's address tells */
	format_size_short(size, bytes);
	fprintf(drawing->out,
		"<g class=\"gap\" data-length=\"%" PRIu64 "\"><title>%s that "
		"are not the buffer's</title>\n",
		bytes, size);
	fprintf(drawing->out,
		"<rect class=\"break\" x=\"%.2f\" y=\"%.1f\" width=\"%.1f\" "
		"height=\"%.1f\"/>\n"
		"<text class=\"skipped\" x=\"%.1f\" y=\"%.1f\">%s</text></g>\n",
		LEFT + drawing->x + 2, row_y(drawing->row) + BAR / 2 - 5,
		GAP - 4, 10.0, LEFT + drawing->x + GAP / 2,
		row_y(drawing->row) - 4, size);
	drawing->x += GAP;
}

static void put_map(struct drawing *drawing)
{
	put_row_address(drawing, address_of(drawing, drawing->sorted[0]));
	for (size_t i = 0; i < drawing->count; i++) {
		uint64_t gap = gap_after(drawing, i);

		put_segment(drawing, drawing->sorted[i]);
		if (gap)
			put_gap(drawing, gap);
		else if (i + 1 < drawing->count)
			drawing->x += 1; /* neighbours are two all the same */
	}
}

/* How many rows the map takes: the walk of put_map(), without the pen. */
static unsigned int count_rows(const struct drawing *drawing)
{
	struct drawing dry = *drawing;
	unsigned int row;

	dry.out = fopen("/dev/null", "we");
	if (!dry.out)
		return 0;
	put_map(&dry);
	row = dry.row;
	fclose(dry.out);
	return row + 1;
}

/* A row for each dozen of segments, so that most of them can be told apart. */
static void choose_scale(struct drawing *drawing, uint64_t bytes)
{
	size_t rows = (drawing->count + SEGMENTS_A_ROW - 1) / SEGMENTS_A_ROW;
	double gaps = 0;
	double room;

	if (rows > ROWS_OF_SCALE)
		rows = ROWS_OF_SCALE;
	for (size_t i = 0; i < drawing->count; i++)
		gaps += gap_after(drawing, i) ? GAP : 1;
	room = WIDTH * (double)rows - gaps;
	/* Where gaps take most of the place, more rows than that. */
	if (room < WIDTH * (double)rows / 2)
		room = WIDTH * (double)rows / 2;
	drawing->scale = room / (double)bytes;
}

static void put_style(FILE *out)
{
	fputs("<style>\n"
	      "text { font: 12px sans-serif; fill: " COLOR_LABEL "; }\n"
	      ".heading { font-size: 18px; font-weight: bold; }\n"
	      ".address { font-family: monospace; text-anchor: end; }\n"
	      ".offset { font: 10px monospace; text-anchor: middle; "
	      "fill: #5a6675; }\n"
	      ".size { text-anchor: middle; font-weight: bold; }\n"
	      ".onhuge { fill: " COLOR_LABEL_ON_HUGE "; }\n"
	      ".skipped { font-size: 9px; text-anchor: middle; "
	      "fill: #5a6675; }\n"
	      ".plain { fill: " COLOR_PLAIN "; }\n"
	      ".huge { fill: " COLOR_HUGE "; }\n"
	      ".break { fill: url(#hatch); }\n"
	      "</style>\n"
	      "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" "
	      "patternUnits=\"userSpaceOnUse\" "
	      "patternTransform=\"rotate(45)\">"
	      "<rect width=\"2\" height=\"6\" fill=\"#9aa5b1\"/>"
	      "</pattern></defs>\n",
	      out);
}

static void put_heading(const struct drawing *drawing, uint64_t bytes,
			const char *name)
{
	char size[SIZE_TEXT_ROOM], covered[SIZE_TEXT_ROOM];
	uint64_t huge = 0;

	for (size_t i = 0; i < drawing->count; i++)
		huge += huge_part(drawing->sorted[i]).length;
	format_size(size, bytes);
	format_size(covered, huge);
	fputs("<text class=\"heading\" x=\"20\" y=\"32\">Buffer", drawing->out);
	if (name[0]) {
		fputs(" \xe2\x80\x9c", drawing->out);
		put_text(drawing->out, name);
		fputs("\xe2\x80\x9d", drawing->out);
	}
	fprintf(drawing->out, ": %s in %zu %s</text>\n", size, drawing->count,
		drawing->count == 1 ? "segment" : "segments");
	if (drawing->has_addresses)
		fprintf(drawing->out,
			"<text class=\"summary\" x=\"20\" y=\"54\">By physical "
			"address; %s in aligned pages of 2 MiB. Below each "
			"segment: its offset in the buffer.</text>\n",
			covered);
	else
		fputs("<text class=\"summary\" x=\"20\" y=\"54\">By offset in "
		      "the buffer: physical addresses are for root "
		      "(CAP_SYS_RAWIO).</text>\n",
		      drawing->out);
}

static double put_legend_entry(FILE *out, double x, const char *class,
			       double height, const char *text)
{
	fprintf(out,
		"<rect class=\"%s\" x=\"%.0f\" y=\"%.0f\" width=\"22\" "
		"height=\"%.0f\"/>"
		"<text x=\"%.0f\" y=\"83\">%s</text>\n",
		class, x, 79 - height / 2, height, x + 28, text);
	return x + 60 + 6.5 * (double)snprintf(NULL, 0, "%s", text);
}

static void put_legend(const struct drawing *drawing)
{
	double x = 20;

	fputs("<g class=\"legend\">\n", drawing->out);
	if (drawing->has_addresses) {
		x = put_legend_entry(drawing->out, x, "huge", 14,
				     "aligned pages of 2 MiB");
		x = put_legend_entry(drawing->out, x, "plain", 14,
				     "smaller pages");
		put_legend_entry(drawing->out, x, "break", 10,
				 "memory of others, not to scale");
	} else {
		put_legend_entry(drawing->out, x, "plain", 14, "a segment");
	}
	fputs("</g>\n", drawing->out);
}

static void put_picture(struct drawing *drawing, uint64_t bytes,
			const char *name)
{
	double width = LEFT + WIDTH + RIGHT;
	double height = TOP + count_rows(drawing) * ROW + BOTTOM;

	fprintf(drawing->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
		"height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n"
		"<title>Segments of a buffer</title>\n",
		width, height, width, height);
	put_style(drawing->out);
	fputs("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
	      drawing->out);
	put_heading(drawing, bytes, name);
	put_legend(drawing);
	put_map(drawing);
	fputs("</svg>\n", drawing->out);
}

int draw_segments(FILE *out, const struct segment_table *table,
		  const char *name)
{
	struct drawing drawing = {.out = out, .count = table->count};
	uint64_t bytes = bytes_of(table);

	drawing.sorted = calloc(table->count, sizeof(*drawing.sorted));
	if (!drawing.sorted)
		return -ENOMEM;
	drawing.has_addresses = true;
	for (size_t i = 0; i < table->count; i++) {
		drawing.sorted[i] = &table->segments[i];
		if (!table->segments[i].physical)
			drawing.has_addresses = false;
	}
	qsort(drawing.sorted, drawing.count, sizeof(*drawing.sorted), compare);
	choose_scale(&drawing, bytes);
	put_picture(&drawing, bytes, name);
	free(drawing.sorted);
	return 0;
}
