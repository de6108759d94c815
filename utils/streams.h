/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard streams: results that did not reach stdout are a failure.
 */
#ifndef STREAMS_H
#define STREAMS_H

/*
 * Put placeholders where descriptors 0 to 2 are closed, so that no buffer
 * lands there. They refuse to be read and written, as a closed one does.
 */
void keep_standard_streams(void);

/*
 * Report, once, that stdout cannot be written, because of ERROR or, when that
 * is 0, for a reason that is lost. Gives EXIT_FAILED.
 */
int failed_output(int error);

/* Write out what is still buffered. Gives an exit status. */
int flush_output(void);

/* The last thing before the program ends: STATUS, or the failure to write. */
int finish_output(int status);

#endif
