/* MD5 (RFC 1321), for Digest only. */

#ifndef MD5_H
#define MD5_H

#include <stddef.h>

/* Write the digest of `data` as 32 hexadecimal digits and a NUL. */
void md5_hex(const char *data, size_t length, char hex[33]);

#endif
