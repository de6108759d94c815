/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JSON value on one line. Inside an object every call names its KEY; inside
 * an array, and for the outermost value, KEY is NULL.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool comma; /* the next member needs one before it */
};

void json_object_begin(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array_begin(struct json *json, const char *key);
void json_array_end(struct json *json);

/* VALUE NULL is written as null; bytes that are not UTF-8 as U+FFFD. */
void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, uint64_t value);
void json_signed(struct json *json, const char *key, int64_t value);

/* VALUE / 1000, exactly. */
void json_thousandths(struct json *json, const char *key, uint64_t value);

/* With so many DIGITS after the point; what is no number, as null. */
void json_decimal(struct json *json, const char *key, double value, int digits);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/* End the line after the outermost value. */
void json_finish(struct json *json);

#endif
