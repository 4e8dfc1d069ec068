/* SPDX-License-Identifier: Apache-2.0 */
/* siphash: SipHash-2-4 with 128 bits, the keyed code of short datagrams (Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF", 2012; the 128-bit form as in the authors' reference code). Pure.
 *
 * The engine may neither allocate nor lock, and needs a code for 28 octets: no library of the root file
 * system has one for C without both. What it gives is held against libsodium's in the tests.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define QX_SIPHASH_KEY  16
#define QX_SIPHASH_CODE 16

/* Writes QX_SIPHASH_CODE octets. */
void qx_siphash(uint8_t *code, const uint8_t *bytes, size_t length, const uint8_t *key);
