/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (FIPS 180-4), to tell whether bytes are the same that sha256sum(1)
 * has seen. It is not there to keep secrets.
 */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK 64
#define SHA256_TEXT_ROOM 65

struct sha256 {
	uint32_t state[8];
	uint64_t length;
	unsigned char block[SHA256_BLOCK]; /* what is not a whole one yet */
};

void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *bytes, size_t count);

/* Write the digest in hexadecimal. */
void sha256_end(struct sha256 *sha, char *text);

#endif
