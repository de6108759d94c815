// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sha256.h"

#define ROUNDS 64

/* Of the cube roots of the first 64 primes, 32 bits after the point. */
static const uint32_t constants[ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t word, unsigned int by)
{
	return word >> by | word << (32 - by);
}

static uint32_t word_at(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
	       (uint32_t)bytes[2] << 8 | bytes[3];
}

static void expand(uint32_t *schedule, const unsigned char *block)
{
	for (int i = 0; i < 16; i++)
		schedule[i] = word_at(block + 4 * i);
	for (int i = 16; i < ROUNDS; i++) {
		uint32_t early = schedule[i - 15], late = schedule[i - 2];

		schedule[i] =
			schedule[i - 16] + schedule[i - 7] +
			(rotate(early, 7) ^ rotate(early, 18) ^ early >> 3) +
			(rotate(late, 17) ^ rotate(late, 19) ^ late >> 10);
	}
}

static void compress(uint32_t *state, const unsigned char *block)
{
	uint32_t schedule[ROUNDS], v[8];

	expand(schedule, block);
	memcpy(v, state, sizeof(v));
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t a = v[0], e = v[4];
		uint32_t one =
			v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
			((e & v[5]) ^ (~e & v[6])) + constants[i] + schedule[i];
		uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
			       ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += one;
		v[0] = one + two;
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

void sha256_begin(struct sha256 *sha)
{
	/* Of the square roots of the first eight primes. */
	static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
					    0xa54ff53a, 0x510e527f, 0x9b05688c,
					    0x1f83d9ab, 0x5be0cd19};

	memcpy(sha->state, initial, sizeof(initial));
	sha->length = 0;
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t count)
{
	const unsigned char *at = bytes;
	size_t have = sha->length % SHA256_BLOCK;
	size_t part;

	sha->length += count;
	while (have + count >= SHA256_BLOCK) {
		part = SHA256_BLOCK - have;
		if (have)
			memcpy(sha->block + have, at, part);
		compress(sha->state, have ? sha->block : at);
		at += part;
		count -= part;
		have = 0;
	}
	memcpy(sha->block + have, at, count);
}

void sha256_end(struct sha256 *sha, char *text)
{
	static const unsigned char padding[SHA256_BLOCK] = {0x80};
	uint64_t bits = sha->length * 8;
	size_t have = sha->length % SHA256_BLOCK;
	unsigned char tail[8];

	for (int i = 0; i < 8; i++)
		tail[i] = (unsigned char)(bits >> (56 - 8 * i));
	/* One bit, zeros, and the length in the last eight bytes of a block. */
	sha256_add(sha, padding, (have < 56 ? 56 : 120) - have);
	sha256_add(sha, tail, sizeof(tail));
	for (int i = 0; i < 8; i++)
		snprintf(text + 8 * i, 9, "%08" PRIx32, sha->state[i]);
}
